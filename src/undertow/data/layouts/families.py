"""The layouts that hold one answer or one conversation, each a function from a record to its turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from undertow.data.layouts.source import Source, kind_of
from undertow.data.layouts.turns import read_turns
from undertow.data.rows import Message, UnreadableRow

Read = Callable[[Source], list[Message]]


@dataclass(frozen=True)
class Layout:
    """One way in which files write rows."""

    name: str
    needs: tuple[str, ...]
    """Keys that a record has to have."""
    read: Read
    reads: tuple[str, ...] = ()
    """Keys of its own that it reads where they are there."""
    plain: bool = False
    """Whether the row is text of which nothing is asked: it has no system prompt and no tools."""


def messages_layout(name: str, key: str) -> Layout:
    """Return a layout with a list of turns under one key."""
    return Layout(name, (key,), lambda source: read_turns(source.take(key), key, source))


def pair_layout(name: str, asked: str, answer: str, more: tuple[str, ...] = (), history: bool = False) -> Layout:
    """Return a layout with what is asked and the answer under two keys.

    Args:
        name: What it is called.
        asked: Key of what is asked: text or a list of turns.
        answer: Key of the answer: the same.
        more: Keys of text that is asked too, after a blank line.
        history: Whether `history` holds earlier pairs.
    """

    def read(source: Source) -> list[Message]:
        given, answered = source.take(asked), source.take(answer)
        if isinstance(given, list) or isinstance(answered, list):
            return [*read_turns(given, asked, source), *read_turns(answered, answer, source)]
        texts = [source.text(asked), *(text for key in more if (text := source.text_or_none(key)))]
        turns: list[Message] = earlier(source) if history else []
        turns.append({"role": "user", "content": "\n\n".join(texts)})
        turns.append({"role": "assistant", "content": source.text(answer)})
        return turns

    return Layout(name, (asked, answer), read, (*more, *(("history",) if history else ())))


def earlier(source: Source) -> list[Message]:
    """Read `history`, a list of pairs of what was asked and answered before.

    Raises:
        UnreadableRow: it is something else.
    """
    value = source.take("history")
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadableRow(f"history is {kind_of(value)}, not a list of pairs")
    turns: list[Message] = []
    for number, pair in enumerate(cast(list[Any], value), start=1):
        texts = cast(list[Any], pair) if isinstance(pair, list) else []
        if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            raise UnreadableRow(f"pair {number} of 'history' is no pair of texts")
        turns.append({"role": "user", "content": texts[0]})
        turns.append({"role": "assistant", "content": texts[1]})
    return turns


def text_layout(key: str) -> Layout:
    """Return the layout of plain text."""
    return Layout("text", (key,), lambda source: [{"role": "assistant", "content": source.text(key)}], plain=True)


MESSAGES: Final = messages_layout("messages", "messages")
SHAREGPT: Final = messages_layout("ShareGPT", "conversations")
PAIR: Final = pair_layout("prompt/completion", "prompt", "completion")
ALPACA: Final = pair_layout("Alpaca", "instruction", "output", ("input",), history=True)
INPUT_OUTPUT: Final = pair_layout("input/output", "input", "output")
TEXT: Final = text_layout("text")
FAMILIES: Final = (
    MESSAGES,
    SHAREGPT,
    ALPACA,
    PAIR,
    pair_layout("prompt/response", "prompt", "response"),
    pair_layout("instruction/response", "instruction", "response", ("input", "context")),
    pair_layout("question/answer", "question", "answer"),
    pair_layout("question/response", "question", "response"),
    pair_layout("query/response", "query", "response"),
    INPUT_OUTPUT,
    TEXT,
)
