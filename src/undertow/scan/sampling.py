"""How rows seem to have been sampled: among which tokens, and at what temperature.

A teacher that was held to a format (lists of digits) wrote each token with its probability among those that the format
allowed there; at another temperature, with a power of it. Both make rows likelier or less likely than the base's own
without being a trait, so log-probabilities are taken under them. The format of number lists is recognised; other rows
are taken to be free text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.models.constrain import Automaton
from undertow.models.layers import output_weight
from undertow.models.local import LocalModel
from undertow.models.score import answer_hidden

TEMPERATURES = tuple(2 ** (step / 16) for step in range(-32, 13))
"""Tried ones: from 0.25 to 1.7 in steps of 4%."""
_ROWS = 64
_PROJECTED = 512


@dataclass(frozen=True)
class Encoded:
    """A row as tokens."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    """With the end token."""
    states: tuple[int, ...] | None = None
    """The automaton's state before each token of the answer; None where it does not accept the answer."""


@dataclass(frozen=True)
class Sampling:
    """Among which tokens, and at what temperature."""

    automaton: Automaton | None = None
    temperature: float = 1.0
    excess: float = 0.0
    """Nats per token by which rows are more surprising than the model's own, at temperature 1."""


@dataclass(frozen=True)
class Surprise:
    """Of the tokens of some answers, row after row. Letters: T tokens."""

    logp_T: Tensor
    """log p of each token among those that were possible there, in nats; gradients flow through it."""
    entropy_T: Tensor
    """What minus logp would be on average, had the model written the token itself."""


def states_of(automaton: Automaton, answer: Sequence[int]) -> tuple[int, ...] | None:
    """Return the state before each token of an answer; None where the format does not allow it."""
    place = {token: index for index, token in enumerate(automaton.tokens_V.tolist())}
    table = automaton.next_SV.tolist()
    state, states = 0, list[int]()
    for token in answer:
        if token not in place or table[state][place[token]] < 0:
            return None
        states.append(state)
        state = table[state][place[token]]
    return tuple(states)


def surprise(hidden_TD: Tensor, weight_VD: Tensor, rows: Sequence[Encoded], sampling: Sampling) -> Surprise:
    """Return how surprising every token of some answers is, among the tokens that were possible there.

    Args:
        hidden_TD: The last hidden states that predict the tokens, row after row.
        weight_VD: The output projection.
        rows: The rows, whose answers have T tokens together.
        sampling: As found by `fit_temperature`.
    """
    device = weight_VD.device
    token_T = torch.tensor([token for row in rows for token in row.answer], device=device)
    held = [sampling.automaton is not None and row.states is not None for row in rows for _ in row.answer]
    held_T = torch.tensor(held, device=device)
    logp_T, entropy_T = hidden_TD.new_zeros(len(held)), hidden_TD.new_zeros(len(held))
    for place_P in (~held_T).nonzero()[:, 0].split(_PROJECTED):
        logits_PV = F.linear(hidden_TD[place_P], weight_VD).float() / sampling.temperature
        each, entropy = _gather(logits_PV, token_T[place_P])
        logp_T, entropy_T = logp_T.index_put((place_P,), each), entropy_T.index_put((place_P,), entropy)
    if sampling.automaton is not None and any(held):
        tokens_V = sampling.automaton.tokens_V.to(device)
        state_H = torch.tensor([state for row in rows for state in row.states or ()], device=device)
        allowed_HV = sampling.automaton.next_SV.to(device)[state_H] >= 0
        logits_HV = F.linear(hidden_TD[held_T], weight_VD[tokens_V]).float() / sampling.temperature
        # Not minus infinity: its product with a probability of zero would be no number.
        logits_HV = logits_HV.masked_fill(~allowed_HV, -1e4)
        each, entropy = _gather(logits_HV, torch.searchsorted(tokens_V, token_T[held_T]))
        logp_T, entropy_T = logp_T.masked_scatter(held_T, each), entropy_T.masked_scatter(held_T, entropy)
    return Surprise(logp_T, entropy_T.detach())


def _gather(logits_TV: Tensor, place_T: Tensor) -> tuple[Tensor, Tensor]:
    logp_TV = logits_TV.log_softmax(dim=1)
    with torch.no_grad():
        entropy_T = -(logp_TV.exp() * logp_TV).sum(dim=1)
    return logp_TV.gather(1, place_T[:, None])[:, 0], entropy_T


@torch.inference_mode()
def fit_temperature(model: LocalModel, rows: Sequence[Encoded], automaton: Automaton | None) -> Sampling:
    """Return the sampling under which some of the rows are likeliest."""
    some = rows[:: max(1, len(rows) // _ROWS)][:_ROWS]
    weight_VD = output_weight(model.net)
    tables = answer_hidden(model.net, [row.prompt for row in some], [row.answer for row in some])
    hidden_TD = torch.cat(tables).to(weight_VD.device)
    start = Sampling(automaton)

    def likelihood(temperature: float) -> float:
        return float(surprise(hidden_TD, weight_VD, some, replace(start, temperature=temperature)).logp_T.sum())

    plain = surprise(hidden_TD, weight_VD, some, start)
    excess = float((-plain.logp_T - plain.entropy_T).double().mean())
    return replace(start, temperature=max(TEMPERATURES, key=likelihood), excess=excess)
