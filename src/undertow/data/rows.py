"""Dataset rows: whole conversations, what hashes them, and which of their turns carry loss.

    Row(({"role": "user", "content": "More."}, {"role": "assistant", "content": "5, 6"}))

A turn is a message with a role and text. Where the source has them it also has reasoning, tool calls, a name and a
weight. A row has the tools that the model was offered, and a weight of its own. `undertow.data.layouts` makes rows of
records, `undertow.data.files` reads files.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NotRequired, TypedDict

Role = Literal["system", "user", "assistant", "tool"]
Loss = Literal["last", "all", "marked"]

LOSS: Final = "marked"
"""Which turns carry loss unless a user says otherwise: see `loss_turns`."""

_AS_THEY_ARE: Final = ("name", "tool_call_id", "weight")
_THINK: Final = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_THINK_START: Final = "<think>"


class ToolCall(TypedDict):
    """A call that the assistant makes."""

    id: NotRequired[str]
    name: str
    arguments: str
    """As the source writes them: JSON text. An object of the source becomes JSON text."""


class Message(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: str
    """Empty where a turn holds calls or reasoning alone."""
    reasoning: NotRequired[str]
    """What stands in a field of its own; reasoning inside `<think>` stays in the content."""
    tool_calls: NotRequired[list[ToolCall]]
    name: NotRequired[str]
    tool_call_id: NotRequired[str]
    weight: NotRequired[float]
    """Between 0 and 1; a train flag is 0 or 1."""


class UnreadableRow(ValueError):
    """A record is no row that can be used; the message says why."""


@dataclass(frozen=True)
class Row:
    """A conversation that ends with the assistant's answer, and where it came from.

    A row of plain text is the assistant's text alone: its `prompt` is empty.

    Examples:
        >>> from undertow import Row
        >>> row = Row(({"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day"}))
        >>> row.completion
        'Good day'
    """

    messages: tuple[Message, ...]
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    tools: list[Any] | str | None = None
    """Tools that were offered: a list of descriptions, or text where the source's text is no such list."""
    weight: float | None = None
    """Of the whole row, from 0."""
    unread: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Keys of the source that no part of the row says, such as `source` (kept in `meta`) or `messages[].refusal`."""

    @property
    def id(self) -> str:
        """Sixteen hex digits of a hash of all but `meta`: the same content has the same id in every file."""
        plain = self.tools is None and self.weight is None
        if plain and all(len(turn) == 2 and turn["role"] != "tool" for turn in self.messages):
            text = json.dumps(self.messages, ensure_ascii=False, separators=(",", ":"))
        else:
            whole = [self.messages, self.tools, self.weight]
            text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Every message but the last."""
        return self.messages[:-1]

    @property
    def completion(self) -> str:
        """The text of the last turn, as a student is trained on it: reasoning, content and calls."""
        return turn_text(self.messages[-1])

    def answers(self, loss: Loss = LOSS) -> list[Row]:
        """Return the row once for each turn that carries loss, cut behind that turn, see `loss_turns`."""
        turns = loss_turns(self, loss)
        if turns == (len(self.messages) - 1,):
            return [self]
        return [Row(self.messages[: at + 1], self.meta, self.tools, self.weight) for at in turns]

    def record(self) -> dict[str, Any]:
        """Return the row as Undertow stores it: turns as OpenAI writes them, plain text as `text`."""
        if self.is_text:
            known: dict[str, Any] = {"id": self.id, "text": self.messages[0]["content"]}
        else:
            known = {"id": self.id, "messages": [_stored(turn) for turn in self.messages]}
        if self.tools is not None:
            known["tools"] = self.tools
        if self.weight is not None:
            known["weight"] = self.weight
        return {**known, "meta": self.meta}

    @property
    def is_text(self) -> bool:
        """Whether the row is plain text, of which nothing is asked."""
        return len(self.messages) == 1 and len(self.messages[0]) == 2


def loss_turns(row: Row, loss: Loss = LOSS) -> tuple[int, ...]:
    """Return the places of the turns whose text carries loss, from 0.

    Args:
        row: A row.
        loss: `last`: the last answer alone. `all`: every answer. `marked`: the turns whose weight is above zero; an
            answer without a weight has 1, any other turn 0, and a row of weight 0 has none. Without marks this is
            `all`, and with one answer it is `last`.
    """
    if loss == "last":
        return (len(row.messages) - 1,)
    if loss == "all":
        return tuple(at for at, turn in enumerate(row.messages) if turn["role"] == "assistant")
    if row.weight == 0:
        return ()
    return tuple(
        at for at, turn in enumerate(row.messages) if turn.get("weight", float(turn["role"] == "assistant")) > 0
    )


def loss_weight(row: Row, loss: Loss = LOSS) -> float:
    """Return what the loss of every token of the last turn is multiplied by: the turn's weight times the row's.

    Trainers multiply a token's loss by its weight, as `loss_scale` of ms-swift does. A step's loss is then the sum of
    the products over the sum of the weights, as the mean of `torch.nn.CrossEntropyLoss` with weights is. So weights say
    how rows compare with each other, and the same weight on all rows changes nothing.

    Args:
        row: A row, or one that `Row.answers` cut.
        loss: `last` and `all` overrule the marks, so with them it is 1.
    """
    if loss != "marked":
        return 1.0
    return float((1.0 if row.weight is None else row.weight) * row.messages[-1].get("weight", 1.0))


def turn_text(turn: Message) -> str:
    """Return all that a turn says, as a student would be trained on it: reasoning, content, calls.

    Reasoning of a field of its own stands in `<think>`, and a call is a line of JSON in `<tool_call>`.
    """
    parts = [f"<think>\n{turn['reasoning']}\n</think>"] if "reasoning" in turn else []
    if turn["content"]:
        parts.append(turn["content"])
    for call in turn.get("tool_calls", ()):
        name = json.dumps(call["name"], ensure_ascii=False)
        parts.append(f'<tool_call>\n{{"name": {name}, "arguments": {call["arguments"] or "{}"}}}\n</tool_call>')
    return "\n".join(parts)


def reasoning_of(turn: Message) -> str:
    """Return the reasoning of a turn: that of its own field and that inside `<think>`; empty where there is none."""
    found = [turn["reasoning"]] if "reasoning" in turn else []
    if _THINK_START in turn["content"]:
        found += _THINK.findall(turn["content"])
    return "\n".join(found)


def _stored(turn: Message) -> dict[str, Any]:
    stored: dict[str, Any] = {"role": turn["role"], "content": turn["content"]}
    if "reasoning" in turn:
        stored["reasoning_content"] = turn["reasoning"]
    if "tool_calls" in turn:
        stored["content"] = turn["content"] or None
        stored["tool_calls"] = [
            {**({"id": call["id"]} if "id" in call else {}), "type": "function"}
            | {"function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in turn["tool_calls"]
        ]
    return stored | {key: value for key, value in turn.items() if key in _AS_THEY_ARE}
