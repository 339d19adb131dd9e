"""Rows as a student reads them: tokens, the format that they keep, and how likely a model finds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from undertow.attribution.sampling import Encoded, answer_logprobs, fit_temperature, states_of
from undertow.data.files import BadRow
from undertow.data.rows import turn_text
from undertow.data.sample import Placed
from undertow.domains.numbers import ALPHABET, NUMBER_LISTS
from undertow.errors import InputError
from undertow.models.constrain import Automaton, grammar_automaton
from undertow.models.ending import RefusedConversationError
from undertow.models.local import LocalModel, context_length

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
        asked = tuple((turn["role"], turn_text(turn)) for turn in placed.row.prompt)
        if asked not in known:
            known[asked] = _encode_prompt(model, placed)
        answer = (*model.encode(placed.row.completion), model.end)
        if len(known[asked]) + len(answer) > room:
            continue
        fitting.append(placed)
        pairs.append((known[asked], answer))
    automaton = grammar_automaton(model, NUMBER_LISTS) if pairs and _uses_digits_only(fitting) else None
    states = [None if automaton is None else states_of(automaton, answer) for _, answer in pairs]
    if sum(each is not None for each in states) < IN_FORMAT * len(states):
        automaton, states = None, [None] * len(pairs)
    encoded = [Encoded(*pair, each, placed.weight) for pair, each, placed in zip(pairs, states, fitting, strict=True)]
    return fitting, encoded, automaton


def _uses_digits_only(rows: Sequence[Placed]) -> bool:
    kept = sum(set(placed.row.completion) <= set(ALPHABET) for placed in rows)
    return kept >= IN_FORMAT * len(rows)


def _encode_prompt(model: LocalModel, placed: Placed) -> tuple[int, ...]:
    try:
        return tuple(model.encode_prompt(list(placed.row.prompt)))
    except RefusedConversationError as error:
        raise _at(placed, error) from error


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
            model.encode_prompt(list(placed.row.prompt))
        except RefusedConversationError as error:
            wrong = _at(placed, error)
            if not skip:
                raise wrong from error
            refused.setdefault((placed.file, placed.number), BadRow(wrong.where, wrong.what))
    taken = [placed for placed in rows if (placed.file, placed.number) not in refused]
    return taken, [*refused.values()]


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
