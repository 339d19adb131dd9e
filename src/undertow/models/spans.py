"""The tokens of a row as a student reads them: those of the conversation before its answer, and those of the answer.

    prompt, answer = encode_row(model, row)

Rows of role and content alone have the template's tokens before the answer, and the answer's own text behind. Where a
row has reasoning, calls or tools, the template renders the conversation with and without its last turn, and the answer
is what the turn adds. So a student learns the calls and thoughts in the form in which the template shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from undertow.data.rows import Row
from undertow.models.ending import RefusedConversationError, render
from undertow.models.local import LocalModel
from undertow.models.template import Fields, has_fields, in_fields, offered

_THINK: Final = "<think>\n"
_OTHER: Final = "Zq"


@dataclass(frozen=True)
class Spans:
    """A row's tokens."""

    prompt: list[int]
    answer: list[int]
    """With the end token."""
    way: Literal["plain", "fields", "text"]
    """Plain: the row has no fields. Text: it has, and the answer stands as text, since the template shows no turn that
    follows from the conversation before it."""


def encode_row(model: LocalModel, row: Row) -> tuple[list[int], list[int]]:
    """Return the tokens before a row's last turn, and those of the turn with its end.

    Raises:
        RefusedConversationError: the chat template refuses the conversation.
    """
    found = spans_of(model, row)
    return found.prompt, found.answer


def spans_of(model: LocalModel, row: Row) -> Spans:
    """Return a row's tokens, and how they came about; see `encode_row`."""
    if not row.prompt or row.messages[-1]["role"] != "assistant" or not has_fields(row.messages, row.tools):
        return Spans(model.encode_prompt(row.prompt), [*model.encode(row.completion), model.end], "plain")
    prompt = model.encode_prompt(row.prompt, row.tools)
    try:
        found = _rendered(model, row, prompt)
    except RefusedConversationError:
        found = None
    if found is not None:
        return found
    text = row.completion
    # A template of a reasoning model opens the thoughts itself.
    if text.startswith(_THINK) and model.decode(prompt).endswith(_THINK):
        text = text.removeprefix(_THINK)
    return Spans(prompt, [*model.encode(text), model.end], "text")


def _rendered(model: LocalModel, row: Row, prompt: list[int]) -> Spans | None:
    """Return the spans that the template's own text gives; None where it does not show the whole answer."""
    fields, turns = model.fields, in_fields(row.messages, model.fields)
    how = offered(row.tools, fields)

    def shown(conversation: list[dict[str, Any]], **more: Any) -> Any:
        return render(model.tokenizer, conversation, model.name, **how, **more)

    before = str(shown(turns[:-1], tokenize=False, add_generation_prompt=True))
    whole = str(shown(turns, tokenize=False))
    if whole.startswith(before):
        said = whole.removeprefix(before)
    else:
        # Earlier turns look otherwise once the answer is there. What another answer would stand behind comes before it.
        header = before.removeprefix(str(shown(turns[:-1], tokenize=False)))
        changed = [*turns[:-1], {"role": "assistant", "content": _other(turns[-1])}]
        common = _beginning(whole, str(shown(changed, tokenize=False)))
        head, found, opened = common.rpartition(header)
        if not found or header == before or _end_text(model) in opened:
            return None
        said = whole.removeprefix(head + header)
        tokens = _cut(model, list(shown(turns, return_dict=False)), head + header)
        if tokens is None:
            return None
        prompt = tokens
    if not _says(said, turns[-1], fields):
        return None
    text, closed, _ = said.rpartition(_end_text(model))
    return Spans(prompt, [*model.encode(text if closed else said), model.end], "fields")


def _says(said: str, turn: dict[str, Any], fields: Fields) -> bool:
    """Tell whether a rendered answer holds all that the turn says."""
    wanted = [turn["content"], turn.get("reasoning_content", "")]
    wanted += [call["function"]["name"] for call in turn.get("tool_calls", ())]
    if fields.calls == "text":
        wanted += [call["function"]["arguments"] for call in turn.get("tool_calls", ())]
    return all(each.strip() in said for each in wanted)


def _other(turn: dict[str, Any]) -> str:
    return _OTHER if not str(turn["content"]).startswith(_OTHER[0]) else _OTHER[::-1]


def _beginning(one: str, two: str) -> str:
    """Return what two texts begin with."""
    return one[: next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))]


def _end_text(model: LocalModel) -> str:
    return str(model.tokenizer.convert_ids_to_tokens(model.end))


def _cut(model: LocalModel, tokens: list[int], text: str) -> list[int] | None:
    """Return the first tokens that make up a text; None where one goes beyond its end."""
    low, high = 0, len(tokens)
    while low < high:
        middle = (low + high) // 2
        if len(model.decode(tokens[:middle])) < len(text):
            low = middle + 1
        else:
            high = middle
    return tokens[:low] if model.decode(tokens[:low]) == text else None
