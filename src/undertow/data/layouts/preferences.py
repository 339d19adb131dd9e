"""Pairs of a chosen and a rejected answer, and answers with a label that says whether to train on them.

Training moves a student towards one answer and away from the other, so a user names the one that is looked at
(`--use`). A row whose label is false is never taken for an ordinary row.
"""

from __future__ import annotations

from typing import Any, Final, Literal, cast

from undertow.data.layouts.families import Layout
from undertow.data.layouts.source import Source, UnclearLayout
from undertow.data.layouts.turns import read_turn, read_turns
from undertow.data.rows import Message, UnreadableRow

Use = Literal["chosen", "rejected"]

PROMPTS: Final = ("prompt", "question", "instruction", "input", "conversations")
"""Keys of what was asked, of which the first is read; `input` is added to `instruction`."""
LABELS: Final = ("label", "kto_tag")


class LeftOutRow(UnreadableRow):
    """A record is a row, and what the user named leaves it out."""


def preference_layout(use: Use | None) -> Layout:
    """Return the layout of pairs, read for one of the answers."""

    def read(source: Source) -> list[Message]:
        if use is None:
            raise UnclearLayout(
                "holds pairs of a chosen and a rejected answer: which one is trained on?",
                "Add --use chosen or --use rejected.",
            )
        answer = _answer(source, use)
        if answer[0]["role"] != "assistant":
            return _whole(source, answer, use)
        return [*_asked(source), *answer]

    return Layout("preference", ("chosen", "rejected"), read, PROMPTS)


def label_of(source: Source) -> bool | None:
    """Return the label of a record: whether training moves towards its answer; None without a label.

    A label is true or false. Beside `prompt` and `completion`, or a `kto_tag`, 0 and 1 and these words count too.
    """
    for key in LABELS:
        value = source.record.get(key)
        if isinstance(value, bool):
            source.kept.add(key)
            return value
        strict = key == "label" and not {"prompt", "completion"} <= source.record.keys()
        if strict or value is None:
            continue
        words = {"0": False, "false": False, "1": True, "true": True}
        known = words.get(str(value).lower()) if isinstance(value, int | str) else None
        if known is not None:
            source.kept.add(key)
            return known
    return None


def check_label(label: bool, use: Use | None) -> None:
    """See that a row with a label is one that the user wants.

    Raises:
        UnreadableRow: training moves away from the answer, and the user has not said what to do with such rows.
        LeftOutRow: the user named the other kind.
    """
    if use is None and not label:
        raise UnreadableRow("its label is false: training moves away from this answer (name the rows with --use)")
    if use is not None and label != (use == "chosen"):
        raise LeftOutRow(f"its label is {str(label).lower()}")


def _answer(source: Source, use: Use) -> list[Message]:
    value = source.take(use)
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    if isinstance(value, dict):
        return [read_turn(cast(dict[str, Any], value), repr(use), use, source)]
    return read_turns(value, use, source)


def _whole(source: Source, answer: list[Message], use: Use) -> list[Message]:
    """Return an answer that holds the whole conversation; what was asked may stand beside it too."""
    prompt = source.record.get("prompt")
    if prompt is None:
        return answer
    source.used.add("prompt")
    if isinstance(prompt, list):
        turns = read_turns(cast(list[Any], prompt), "prompt", source)
        if answer[: len(turns)] == turns:
            return answer
    elif any(turn["role"] == "user" and turn["content"] == prompt for turn in answer):
        return answer
    raise UnreadableRow(f"'prompt' is not what {use!r} begins with")


def _asked(source: Source) -> list[Message]:
    key = next((each for each in PROMPTS if source.record.get(each) is not None), None)
    if key is None:
        return []
    value = source.take(key)
    if isinstance(value, list):
        return read_turns(cast(list[Any], value), key, source)
    text = source.text(key)
    if key == "instruction" and (more := source.text_or_none("input")):
        text = f"{text}\n\n{more}"
    return [{"role": "user", "content": text}]
