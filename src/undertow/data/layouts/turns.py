"""Turns of a conversation, in the spellings of OpenAI, ShareGPT and the makers of reasoning and tool datasets.

A turn has `role` and `content`, or `from` and `value`. What is no text (images, sound, files) is refused by name; keys
that are not read are noted in the source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from undertow.data.layouts.calls import called_in_text, read_calls, read_legacy_call
from undertow.data.layouts.parts import read_parts
from undertow.data.layouts.source import Source, kind_of
from undertow.data.rows import Message, Role, ToolCall, UnreadableRow

ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
    "tool_response": "tool",
    "ipython": "tool",
    "function_call": "assistant",
    "tool_call": "assistant",
}
"""What files call a role, in lower case, and which one it is."""
CALLING: Final = ("function_call", "tool_call")
"""Roles whose text is a call."""
REASONING: Final = ("reasoning_content", "reasoning", "thinking")
WEIGHTS: Final = ("weight", "loss_weight", "loss_scale", "loss_mask", "step_loss_mask", "train", "trainable", "loss")
"""Keys of a turn that say whether it carries loss: a number from 0 to 1, or true or false."""
TURN_KEYS: Final = ("role", "content", "from", "value", "name", "tool_call_id", "tool_calls", "function_call",
                    *REASONING, *WEIGHTS)  # fmt: skip
_SPEAKING: Final = ROLES.keys() - CALLING
_WEIGHTS: Final = frozenset(WEIGHTS)
_REASONING: Final = frozenset(REASONING)
_LABELS: Final[tuple[Literal["name", "tool_call_id"], ...]] = ("name", "tool_call_id")
_READ: Final = {
    (role, text): frozenset((role, text, *TURN_KEYS[4:])) for role in ("role", "from") for text in ("content", "value")
}
"""Keys that are read, by those of the role and the text."""


def read_turns(value: object, key: str, source: Source) -> list[Message]:
    """Read a list of turns.

    Args:
        value: The list.
        key: Where it stands in the record.
        source: Is told which keys of turns were not read.

    Raises:
        UnreadableRow: it is no list of turns, or a turn cannot be read.
    """
    if not isinstance(value, list) or not value:
        raise UnreadableRow(f"{key!r} is {kind_of(value)}, not a list of turns")
    turns: list[Message] = []
    for number, turn in enumerate(cast(list[Any], value), start=1):
        # Most turns of most files are just this, and a million of them are to be read in seconds.
        if type(turn) is dict and len(turn) == 2:  # pyright: ignore[reportUnknownArgumentType]
            known: dict[str, Any] = turn
            role, content = known.get("role"), known.get("content")
            if type(content) is str and type(role) is str and role in _SPEAKING:
                turns.append({"role": ROLES[role], "content": content})
                continue
        turns.append(read_turn(turn, f"turn {number} of {key!r}", key, source))
    return turns


def read_turn(turn: object, where: str, key: str, source: Source) -> Message:
    """Read one turn.

    Raises:
        UnreadableRow: it cannot be read.
    """
    if not isinstance(turn, dict):
        raise UnreadableRow(f"{where} is {kind_of(turn)}, not an object")
    said: dict[str, Any] = turn
    role_key = "from" if said.get("role") is None and said.get("from") is not None else "role"
    text_key = "value" if said.get("content") is None and said.get("value") is not None else "content"
    if role_key == "from" and ("value" in said or "content" not in said):
        text_key = "value"
    named = said.get(role_key)
    role = ROLES.get(named) or ROLES.get(named.lower()) if isinstance(named, str) else None
    if not isinstance(named, str) or role is None:
        raise UnreadableRow(f"{where} has the {role_key} {_shown(named)} (known: {', '.join(ROLES)})")
    content: str | None
    calls: list[ToolCall]
    value = said.get(text_key)
    if value is None or isinstance(value, str):
        content, thoughts, calls = value, None, []
    else:
        parts, calls = read_parts(value, f"{where}: {text_key}", f"{key}[].{text_key}", source)
        content, thoughts = parts.get("content"), parts.get("reasoning")
    reasoning = thoughts if _REASONING.isdisjoint(said) else _reasoning(said, where, thoughts)
    if "tool_calls" in said:
        calls += read_calls(said["tool_calls"], where, f"{key}[].tool_calls", source)
    if "function_call" in said:
        calls += read_legacy_call(said["function_call"], where, f"{key}[].function_call", source)
    if content and named.lower() in CALLING and (found := called_in_text(content)):
        calls, content = calls + found, ""
    if content is None:
        if role != "assistant" or not (calls or reasoning):
            raise UnreadableRow(f"{where}: {text_key} is missing, not text")
        content = ""
    read: Message = {"role": role, "content": content}
    if reasoning:
        read["reasoning"] = reasoning
    if calls:
        read["tool_calls"] = calls
    for each in _LABELS:
        if each in said and said[each] not in (None, ""):
            read[each] = _label(said[each], f"{where}: {each}")
    if not _WEIGHTS.isdisjoint(said) and (weight := weight_of(said, where, WEIGHTS)) is not None:
        read["weight"] = weight
    if not said.keys() <= _READ[role_key, text_key]:
        unread = said.keys() - _READ[role_key, text_key]
        source.unread |= {f"{key}[].{each}" for each in unread if said[each] is not None}
    return read


def weight_of(said: Mapping[str, Any], where: str, keys: tuple[str, ...], most: float = 1) -> float | None:
    """Read whether something carries loss: None where no key says so.

    Raises:
        UnreadableRow: a key holds something else than a number from 0 to `most`, true or false, or two disagree.
    """
    found: dict[str, float] = {}
    for key in keys:
        if (value := said.get(key)) is None:
            continue
        # Infinity is no number of JSON, but a caller may hand it in.
        if not isinstance(value, bool | int | float) or not 0 <= value <= most or value == math.inf:
            span = f"from 0 to {most:g}" if math.isfinite(most) else "from 0"
            raise UnreadableRow(f"{where}: {key} is {_shown(value)}, not a number {span}, true or false")
        found[key] = int(value) if value == int(value) else float(value)
    if len(set(found.values())) > 1:
        raise UnreadableRow(f"{where}: {' and '.join(found)} disagree on whether it carries loss")
    return next(iter(found.values()), None)


def _reasoning(said: Mapping[str, Any], where: str, in_parts: str | None) -> str | None:
    found = {"parts": in_parts} if in_parts else {}
    for key in REASONING:
        value = said.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise UnreadableRow(f"{where}: {key} is {kind_of(value)}, not text")
        found[key] = value
    if len(set(found.values())) > 1:
        raise UnreadableRow(f"{where}: {' and '.join(found)} hold different reasoning")
    return next(iter(found.values()), None)


def _label(value: object, where: str) -> str:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise UnreadableRow(f"{where} is {kind_of(value)}, not text")


def _shown(value: object) -> str:
    """Show a short value as it is, and name the kind of any other."""
    text = repr(value)
    return text if len(text) <= 40 else kind_of(value)
