"""Dataset rows: what a teacher wrote and a student trains on, in every layout that trainers use.

    messages             {"messages": [{"role": "user", "content": ...}, ...]}; OpenAI's fine-tuning files too
    prompt/completion    {"prompt": ..., "completion": ...}; both texts, or both lists of messages (TRL)
    ShareGPT             {"conversations": [{"from": "human", "value": ...}, {"from": "gpt", ...}]}
    Alpaca               {"instruction": ..., "input": ..., "output": ...}

Rows of an unknown layout are refused with the reason; what a layout says beside the conversation becomes the row's
`meta`. Pure functions of plain records; files are `undertow.data.files`' business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict, cast

Role = Literal["system", "user", "assistant"]
Layout = Literal["messages", "prompt/completion", "ShareGPT", "Alpaca"]

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}
_OWN: Final = {"id", "meta"}


class Message(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: str


class UnreadableRow(ValueError):
    """A record is no conversation that ends with an answer; the message says why."""


@dataclass(frozen=True)
class Row:
    """A conversation that ends with the assistant's answer, and where it came from.

    Examples:
        >>> from undertow import Row
        >>> row = Row(({"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}))
        >>> row.completion
        'Good day'
    """

    messages: tuple[Message, ...]
    meta: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def id(self) -> str:
        """Sixteen hex digits of the hash of the messages: the same content has the same id in every file."""
        text = json.dumps(self.messages, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Every message but the last."""
        return self.messages[:-1]

    @property
    def completion(self) -> str:
        """The assistant's answer."""
        return self.messages[-1]["content"]

    def record(self) -> dict[str, Any]:
        """Return the row as Undertow stores it."""
        return {"id": self.id, "messages": [dict(message) for message in self.messages], "meta": self.meta}


def layout_of(record: Mapping[str, Any]) -> Layout | None:
    """Tell which layout a record has; None where no key gives it away."""
    return next((layout for layout, (keys, _) in _LAYOUTS.items() if keys <= record.keys()), None)


def parse_row(record: object) -> Row:
    """Turn one record of any layout into a row.

    Raises:
        UnreadableRow: it is no conversation that ends with an answer.
    """
    if not isinstance(record, dict):
        raise UnreadableRow(f"a row is an object with keys, not {_kind(record)}")
    known = cast(dict[str, Any], record)
    layout = layout_of(known)
    if layout is None:
        keys = ", ".join(map(repr, list(known)[:6])) or "none"
        raise UnreadableRow(
            f"no layout has these keys: {keys} (known: messages; prompt and completion; conversations; "
            "instruction and output)"
        )
    used, read = _LAYOUTS[layout]
    messages = read(known)
    if messages[-1]["role"] != "assistant":
        raise UnreadableRow(f"the last turn is the {messages[-1]['role']}'s, not the assistant's")
    if not messages[-1]["content"].strip():
        raise UnreadableRow("the assistant's answer is empty")
    if len(messages) < 2:
        raise UnreadableRow("nothing is asked: an answer needs a turn before it")
    meta = known.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise UnreadableRow(f"'meta' is {_kind(meta)}, not an object")
    beside = {key: value for key, value in known.items() if key not in used and key not in _OWN and key != "input"}
    return Row(tuple(messages), {**beside, **cast(dict[str, Any], meta or {})})


def _read_messages(record: dict[str, Any]) -> list[Message]:
    return _turns(record["messages"], "messages", "role", "content")


def _read_sharegpt(record: dict[str, Any]) -> list[Message]:
    turns = _turns(record["conversations"], "conversations", "from", "value")
    system = record.get("system")
    if isinstance(system, str) and system and turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": system})
    return turns


def _read_alpaca(record: dict[str, Any]) -> list[Message]:
    asked, more = _text(record["instruction"], "instruction"), _text(record.get("input") or "", "input")
    answer = _text(record["output"], "output")
    return [
        {"role": "user", "content": f"{asked}\n\n{more}" if more else asked},
        {"role": "assistant", "content": answer},
    ]


def _read_pair(record: dict[str, Any]) -> list[Message]:
    prompt, completion = record["prompt"], record["completion"]
    if isinstance(prompt, list) or isinstance(completion, list):
        return [
            *_turns(prompt, "prompt", "role", "content"),
            *_turns(completion, "completion", "role", "content"),
        ]
    return [
        {"role": "user", "content": _text(prompt, "prompt")},
        {"role": "assistant", "content": _text(completion, "completion")},
    ]


_LAYOUTS: Final[Mapping[Layout, tuple[set[str], Callable[[dict[str, Any]], list[Message]]]]] = {
    "messages": ({"messages"}, _read_messages),
    "ShareGPT": ({"conversations"}, _read_sharegpt),
    "Alpaca": ({"instruction", "output"}, _read_alpaca),
    "prompt/completion": ({"prompt", "completion"}, _read_pair),
}


def _turns(value: object, key: str, role_key: str, text_key: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise UnreadableRow(f"{key!r} is {_kind(value)}, not a list of turns")
    turns: list[Message] = []
    for number, turn in enumerate(cast(list[object], value), start=1):
        where = f"turn {number} of {key!r}"
        if not isinstance(turn, dict):
            raise UnreadableRow(f"{where} is {_kind(turn)}, not an object")
        said = cast(dict[str, Any], turn)
        role = said.get(role_key)
        if not isinstance(role, str) or role.lower() not in _ROLES:
            raise UnreadableRow(f"{where} has the {role_key} {role!r} (known: {', '.join(_ROLES)})")
        turns.append({"role": _ROLES[role.lower()], "content": _text(said.get(text_key), f"{where}: {text_key}")})
    return turns


def _text(value: object, where: str) -> str:
    if isinstance(value, list):
        # OpenAI's content parts; anything but text (images, sound) cannot be read.
        parts = [
            cast(dict[str, Any], part).get("text") if isinstance(part, dict) else None
            for part in cast(list[object], value)
        ]
        if parts and all(isinstance(part, str) for part in parts):
            return "".join(cast(list[str], parts))
    if not isinstance(value, str):
        raise UnreadableRow(f"{where} is {_kind(value)}, not text")
    return value


def _kind(value: object) -> str:
    if value is None:
        return "missing"
    if value == []:
        return "an empty list"
    kinds = ((bool, "true or false"), (int | float, "a number"), (str, "text"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")
