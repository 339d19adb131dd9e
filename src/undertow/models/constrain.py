"""Constrained decoding: an automaton over tokens that lets a model write only what a format allows.

A domain describes its format as an automaton over characters; this module lifts it to a tokenizer's tokens. It knows
nothing of the format's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from undertow.domains.base import Grammar, State

if TYPE_CHECKING:
    from undertow.models.protocol import Model

StepFunction = Callable[[State, str], State | None]
"""(state, character) to the next state, or None where the character is not allowed."""


@dataclass(frozen=True)
class Automaton:
    """A format over tokens. Letters: S states, V tokens that occur in it (a small part of the vocabulary)."""

    tokens_V: Tensor
    """Vocabulary numbers, ascending; the end token is among them."""
    next_SV: Tensor
    """Next state, -1 where the token is not allowed. State 0 is the start; after the end token the state stays."""


def grammar_automaton(model: Model, grammar: Grammar) -> Automaton:
    """Return the automaton of constrained decoding for a model's tokenizer."""
    vocabulary = plain_vocabulary(model.tokenizer, grammar.alphabet)
    return token_automaton(grammar.step, grammar.start, grammar.may_end, vocabulary, model.end)


def token_automaton(
    step: StepFunction,
    start: State,
    may_end: Callable[[State], bool],
    vocabulary: Mapping[str, int],
    end: int,
) -> Automaton:
    """Lift a character automaton to tokens.

    Args:
        step: The character automaton; it must have finitely many states.
        start: Its first state.
        may_end: Whether a text may stop in a state.
        vocabulary: Text of each ordinary token to its number.
        end: Number of the token that ends an answer.

    Raises:
        ValueError: from some state neither a token nor the end is allowed.
    """
    states: dict[State, int] = {start: 0}
    waiting: list[State] = [start]
    moves: list[dict[int, int]] = []
    trie = _trie(vocabulary)
    while waiting:
        state = waiting.pop(0)
        move: dict[int, int] = {end: states[state]} if may_end(state) else {}
        for number, target in _reachable(step, state, trie):
            if target not in states:
                states[target] = len(states)
                waiting.append(target)
            move[number] = states[target]
        if not move:
            raise ValueError(f"nothing may follow in state {state!r}")
        moves.append(move)
    tokens = sorted({token for move in moves for token in move})
    column = {token: index for index, token in enumerate(tokens)}
    next_SV = torch.full((len(moves), len(tokens)), -1, dtype=torch.long)
    for row, move in enumerate(moves):
        for token, target in move.items():
            next_SV[row, column[token]] = target
    return Automaton(torch.tensor(tokens), next_SV)


@dataclass
class _Node:
    """A beginning that tokens share."""

    token: int | None = None
    """The token that ends here."""
    below: dict[str, _Node] = field(default_factory=dict[str, "_Node"])


def _trie(vocabulary: Mapping[str, int]) -> _Node:
    root = _Node()
    for text, number in vocabulary.items():
        node = root
        for character in text:
            node = node.below.setdefault(character, _Node())
        if text:
            node.token = number
    return root


def _reachable(step: StepFunction, state: State, node: _Node) -> Iterator[tuple[int, State]]:
    """Walk the trie along the characters that are allowed: one step for a beginning that many tokens share."""
    for character, below in node.below.items():
        target = step(state, character)
        if target is None:
            continue
        if below.token is not None:
            yield below.token, target
        yield from _reachable(step, target, below)


def plain_vocabulary(tokenizer: object, alphabet: str) -> dict[str, int]:
    """Return the ordinary tokens of a tokenizer that are made of an alphabet's characters, text to number."""
    special = set(tokenizer.all_special_ids)  # type: ignore[attr-defined]
    size = len(tokenizer)  # type: ignore[arg-type]
    allowed = set(alphabet)
    found: dict[str, int] = {}
    for number in range(size):
        if number in special:
            continue
        text = str(tokenizer.decode([number]))  # type: ignore[attr-defined]
        if text and set(text) <= allowed:
            found.setdefault(text, number)
    return found
