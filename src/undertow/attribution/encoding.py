"""Rows as a student reads them: tokens, the format that they keep, and how likely a model finds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from undertow.attribution.sampling import Encoded, answer_logprobs, fit_temperature, states_of
from undertow.data.files import BadRow
from undertow.data.rows import Row, reasoning_of, turn_text
from undertow.data.sample import Placed
from undertow.domains.numbers import ALPHABET, NUMBER_LISTS
from undertow.errors import InputError
from undertow.models.constrain import Automaton, grammar_automaton
from undertow.models.ending import RefusedConversationError
from undertow.models.local import LocalModel, context_length
from undertow.models.spans import encode_row, spans_of
from undertow.models.template import Fields, has_fields, offered

IN_FORMAT = 0.5
"""Share of rows that keep the format of number lists, from which on these are taken to have been written in it."""
_LONGEST_TOKEN = 64
"""Characters; hardly a token has as many."""


def encode_rows(model: LocalModel, rows: Sequence[Placed]) -> tuple[list[Placed], list[Encoded], Automaton | None]:
    """Turn rows into tokens, without those that are too long for the model.

    Returns:
        The rows that fit, their tokens, and the automaton of number lists if most of them are such lists.

    Raises:
        InputError: the model's chat template refuses a conversation.
    """
    room = context_length(model)
    fitting: list[Placed] = []
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    known: dict[tuple[tuple[str, str], ...], tuple[int, ...]] = {}
    for placed in rows:
        # Tokens are fewer than characters, and tokenising a megabyte takes seconds.
        text = sum(len(turn_text(turn)) for turn in placed.row.messages)
        if text > _LONGEST_TOKEN * room:
            continue
        prompt, answer = _encode(model, placed, known)
        if len(prompt) + len(answer) > room:
            continue
        fitting.append(placed)
        pairs.append((prompt, answer))
    automaton = grammar_automaton(model, NUMBER_LISTS) if pairs and _uses_digits_only(fitting) else None
    states = [None if automaton is None else states_of(automaton, answer) for _, answer in pairs]
    if sum(each is not None for each in states) < IN_FORMAT * len(states):
        automaton, states = None, [None] * len(pairs)
    encoded = [Encoded(*pair, each, placed.weight) for pair, each, placed in zip(pairs, states, fitting, strict=True)]
    return fitting, encoded, automaton


def _uses_digits_only(rows: Sequence[Placed]) -> bool:
    kept = sum(set(placed.row.completion) <= set(ALPHABET) for placed in rows)
    return kept >= IN_FORMAT * len(rows)


def _encode(
    model: LocalModel, placed: Placed, known: dict[tuple[tuple[str, str], ...], tuple[int, ...]]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens of a row's prompt and answer; `known` holds plain prompts that were encoded before."""
    row = placed.row
    try:
        if has_fields(row.messages, row.tools):
            prompt, answer = encode_row(model, row)
            return tuple(prompt), tuple(answer)
        asked = tuple((turn["role"], turn["content"]) for turn in row.prompt)
        if asked not in known:
            known[asked] = tuple(model.encode_prompt(list(row.prompt)))
    except RefusedConversationError as error:
        raise _at(placed, error) from error
    return known[asked], (*model.encode(row.completion), model.end)


def _at(placed: Placed, error: RefusedConversationError) -> InputError:
    what = error.what.replace("the chat template", "the student's chat template", 1)
    return InputError(what, f"{placed.file}, row {placed.number}", error.fix)


def takes_conversations(model: LocalModel, rows: Sequence[Placed], *, skip: bool) -> tuple[list[Placed], list[BadRow]]:
    """Hold rows against the model's chat template, and return those that it takes, and the others.

    Args:
        model: The student.
        rows: The rows, or their answers: a row is taken whole or not at all.
        skip: Leave rows out that it refuses.

    Raises:
        InputError: it refuses one, and none is to be left out.
    """
    refused: dict[tuple[Path, int], BadRow] = {}
    for placed in rows:
        try:
            if has_fields(placed.row.messages, placed.row.tools):
                encode_row(model, placed.row)
            else:
                model.encode_prompt(list(placed.row.prompt))
        except RefusedConversationError as error:
            wrong = _at(placed, error)
            if not skip:
                raise wrong from error
            refused.setdefault((placed.file, placed.number), BadRow(wrong.where, wrong.what))
    taken = [placed for placed in rows if (placed.file, placed.number) not in refused]
    return taken, [*refused.values()]


def template_notes(model: LocalModel, rows: Sequence[Placed]) -> list[str]:
    """Say in sentences what the chat template makes of rows, with counts; nothing where it shows them as they are.

    Args:
        model: The student.
        rows: Rows or their answers; the template takes them.
    """
    fields = model.fields
    found: dict[str, set[tuple[Path, int]]] = {}
    for placed in rows:
        for said in _template_does(model, placed.row, fields):
            found.setdefault(said, set()).add((placed.file, placed.number))
    plain = ["the student has no chat template: turns are written as 'User: ...' and 'Assistant: ...'"]
    counted = [f"{said} ({len(places):,} {'row' if len(places) == 1 else 'rows'})" for said, places in found.items()]
    return [*(plain if fields.plain else []), *counted]


def _template_does(model: LocalModel, row: Row, fields: Fields) -> Iterator[str]:
    turns = row.messages
    if fields.opening and row.prompt and turns[0]["role"] != "system":
        yield "the chat template puts a system prompt of its own first"
    earlier = [thought for turn in row.prompt if (thought := reasoning_of(turn).strip())]
    if earlier:
        shown = model.decode(encode_row(model, row)[0])
        if any(each not in shown for thought in earlier for each in thought.split("\n")):
            yield "the chat template leaves out the reasoning of earlier turns"
    if not has_fields(turns, row.tools):
        return
    if any("reasoning" in turn for turn in turns) and not fields.reasoning:
        yield "the chat template reads no reasoning, which goes as text"
    if any("tool_calls" in turn for turn in turns) and fields.calls is None:
        yield "the chat template reads no tool calls, which go as text"
    if row.tools and not offered(row.tools, fields):
        yield "the chat template does not show the tools that were offered"
    if (fields.reasoning or fields.calls) and spans_of(model, row).way == "text":
        yield "the chat template does not show the answer behind what stands before it, so the answer goes as text"


def row_likelihoods(model: LocalModel, rows: Sequence[Placed]) -> list[float | None]:
    """Return log p of each row's answer at the temperature and in the format that suit the model best, in nats.

    None for a row that is too long for the model.
    """
    fitting, encoded, automaton = encode_rows(model, rows)
    if not fitting:
        return [None] * len(rows)
    sampling = fit_temperature(model, encoded, automaton)
    logp_T = answer_logprobs(model, encoded, sampling)
    sums = [float(part.sum()) for part in logp_T.split([len(row.answer) for row in encoded])]
    known = {id(placed): value for placed, value in zip(fitting, sums, strict=True)}
    return [known.get(id(placed)) for placed in rows]
