"""Calls of tools and functions, in one spelling: `id` where there is one, `name`, and `arguments` as text."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from undertow.data.layouts.source import Source, kind_of
from undertow.data.rows import ToolCall, UnreadableRow
from undertow.data.strict_json import load_json

CALL_KEYS: Final = ("id", "type", "name", "arguments")
"""Of a call; `name` and `arguments` stand in `function`, or beside the others."""
_FLAT: Final = frozenset(CALL_KEYS)
_NESTED: Final = frozenset(("id", "type", "function"))
_SAID: Final = frozenset(("name", "arguments"))


def read_calls(value: object, where: str, key: str, source: Source) -> list[ToolCall]:
    """Read a list of calls as OpenAI writes them, flat ones too; JSON text of such a list as well.

    Raises:
        UnreadableRow: it is no such list.
    """
    if isinstance(value, str):
        value = json_or_none(value) if value.strip() else []
        if value is None:
            raise UnreadableRow(f"{where}: tool_calls is text, not a list of calls")
    if value is None or value == []:
        return []
    if not isinstance(value, list):
        raise UnreadableRow(f"{where}: tool_calls is {kind_of(value)}, not a list of calls")
    return [
        _call(each, f"{where}: call {number}", f"{key}[]", source)
        for number, each in enumerate(cast(list[Any], value), start=1)
    ]


def read_legacy_call(value: object, where: str, key: str, source: Source) -> list[ToolCall]:
    """Read `function_call`, OpenAI's older spelling of one call."""
    return [] if value is None else [_call(value, f"{where}: function_call", key, source)]


def called_in_text(text: str) -> list[ToolCall]:
    """Read the calls that a turn of the role `function_call` holds as JSON text; none where it is other text.

    Text with more keys than `name` and `arguments` stays text, so that nothing of it is lost.
    """
    value = json_or_none(text)
    entries = cast(list[Any], value) if isinstance(value, list) else [value]
    calls: list[ToolCall] = []
    for entry in entries:
        if not isinstance(entry, dict) or set(cast(dict[str, Any], entry)) != {"name", "arguments"}:
            return []
        known = cast(dict[str, Any], entry)
        if not isinstance(known["name"], str) or not known["name"]:
            return []
        calls.append({"name": known["name"], "arguments": arguments_text(known["arguments"])})
    return calls


def arguments_text(value: object) -> str:
    """Return a call's arguments as text: as they are, or as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def json_or_none(text: str) -> object:
    """Read JSON text; None where it is none."""
    try:
        return load_json(text.encode("utf-8", "surrogatepass").strip())
    except (ValueError, RecursionError):
        return None


def _call(value: object, where: str, key: str, source: Source) -> ToolCall:
    if not isinstance(value, dict):
        raise UnreadableRow(f"{where} is {kind_of(value)}, not an object")
    outer: dict[str, Any] = value
    inner: object = outer.get("function")
    nested = isinstance(inner, dict)
    said: dict[str, Any] = inner if nested else outer
    if outer.get("type", "function") not in ("function", None):
        raise UnreadableRow(f"{where} is of the type {outer['type']!r}, and only 'function' is read")
    name = said.get("name")
    if not isinstance(name, str) or not name:
        raise UnreadableRow(f"{where}: its name is {kind_of(name)}, not text")
    number = outer.get("id")
    if number is None or number == "":
        call: ToolCall = {"name": name, "arguments": arguments_text(said.get("arguments"))}
    else:
        if isinstance(number, bool) or not isinstance(number, str | int):
            raise UnreadableRow(f"{where}: its id is {kind_of(number)}, not text")
        call = {"id": str(number), "name": name, "arguments": arguments_text(said.get("arguments"))}
    read = _NESTED if nested else _FLAT
    if not outer.keys() <= read:
        source.unread |= {f"{key}.{each}" for each in outer.keys() - read if outer[each] is not None}
    if nested and not said.keys() <= _SAID:
        source.unread |= {f"{key}.function.{each}" for each in said.keys() - _SAID if said[each] is not None}
    return call
