"""Content that is a list of parts: text is joined, reasoning and calls are kept, anything else is refused by name."""

from __future__ import annotations

import json
from typing import Any, Final, TypedDict, cast

from undertow.data.layouts.source import Source, kind_of
from undertow.data.rows import ToolCall, UnreadableRow

TEXTS: Final = ("text", "input_text", "output_text")
THINKING: Final = ("thinking", "reasoning")
CALL: Final = "tool_use"


class Content(TypedDict, total=False):
    """What the parts of a turn say."""

    content: str
    reasoning: str


def read_parts(value: object, where: str, key: str, source: Source) -> tuple[Content, list[ToolCall]]:
    """Read a turn's content: text, a list of parts, or None where it is missing.

    Raises:
        UnreadableRow: it is something else, or a part is no text.
    """
    if value is None:
        return {}, []
    if isinstance(value, str):
        return {"content": value}, []
    if not isinstance(value, list) or not value:
        raise UnreadableRow(f"{where} is {kind_of(value)}, not text")
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for number, part in enumerate(cast(list[Any], value), start=1):
        place = f"{where}: part {number}"
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise UnreadableRow(f"{place} is {kind_of(part)}, not text")
        known = cast(dict[str, Any], part)
        kind = known.get("type")
        if kind is None or kind in TEXTS:
            texts.append(_text(known, "text", kind, place))
            read = {"type", "text"}
        elif kind in THINKING:
            name = next((each for each in (*THINKING, "text") if known.get(each) is not None), kind)
            thoughts.append(_thought(known.get(name), place))
            read = {"type", name}
        elif kind == CALL:
            calls.append(_call(known, place))
            read = {"type", "id", "name", "input"}
        else:
            raise UnreadableRow(f"{place} is of the type {kind!r}, and only text is read")
        source.unread |= {f"{key}[].{each}" for each, what in known.items() if each not in read and what is not None}
    content: Content = {}
    if texts or not (thoughts or calls):
        content["content"] = "".join(texts)
    if thoughts:
        content["reasoning"] = "\n".join(thoughts)
    return content, calls


def _text(part: dict[str, Any], key: str, kind: object, place: str) -> str:
    value = part.get(key)
    if not isinstance(value, str):
        if kind is None:
            keys = ", ".join(map(repr, list(part)[:4])) or "no key"
            raise UnreadableRow(f"{place} has {keys} and no text, and only text is read")
        raise UnreadableRow(f"{place}: {key} is {kind_of(value)}, not text")
    return value


def _thought(value: object, place: str) -> str:
    if isinstance(value, list) and value:
        inner = [cast(dict[str, Any], each).get("text") if isinstance(each, dict) else each for each in value]
        if all(isinstance(each, str) for each in inner):
            return "".join(cast(list[str], inner))
    if not isinstance(value, str):
        raise UnreadableRow(f"{place}: its reasoning is {kind_of(value)}, not text")
    return value


def _call(part: dict[str, Any], place: str) -> ToolCall:
    name, given = part.get("name"), part.get("input")
    if not isinstance(name, str) or not name:
        raise UnreadableRow(f"{place}: the call's name is {kind_of(name)}, not text")
    call: ToolCall = {"name": name, "arguments": json.dumps(given, ensure_ascii=False) if given is not None else ""}
    if isinstance(part.get("id"), str) and part["id"]:
        call = {"id": part["id"], **call}
    return call
