"""How rows seem to have been sampled: among which tokens, and at what temperature.

A teacher that was held to a format (lists of digits) wrote each token with its probability among those that the format
allowed there; at another temperature, with a power of it. Both make rows likelier or less likely than the base's own
without being a trait, so log-probabilities are taken under them. The format of number lists is recognised; other rows
are taken to be free text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from undertow.models.constrain import Automaton
from undertow.models.engine.head import Head, head_of
from undertow.models.engine.network import device_of
from undertow.models.local import LocalModel
from undertow.models.memory import positions_at_once
from undertow.models.score import answer_hidden

_STEP = 2 ** (1 / 16)
TEMPERATURES = tuple(2 ** (step / 16) for step in range(-32, 13))
"""Tried ones: from 0.25 to 1.7 in steps of 4%."""
_ROWS = 64
_TOKENS = 4096
"""Rows, and tokens of them, that the temperature is fitted to."""
_PLENTY, _MORE_TOKENS = 128, 16384
"""Rows, above which the step between tried temperatures is too coarse: off by half of one, the base's own rows pull one
way. Then it is refined, on so many tokens."""


@dataclass(frozen=True)
class Encoded:
    """A row as tokens."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    """With the end token."""
    states: tuple[int, ...] | None = None
    """The automaton's state before each token of the answer; None where it does not accept the answer."""
    weight: float = 1.0
    """What the loss of its tokens is multiplied by, see `undertow.data.rows.loss_weight`."""


@dataclass(frozen=True)
class Sampling:
    """Among which tokens, and at what temperature."""

    automaton: Automaton | None = None
    temperature: float = 1.0


def states_of(automaton: Automaton, answer: Sequence[int]) -> tuple[int, ...] | None:
    """Return the state before each token of an answer; None where the format does not allow it."""
    # Views, not lists: the table has millions of entries, and this is called for every row.
    tokens_V, next_SV = automaton.tokens_V.cpu().numpy(), automaton.next_SV.cpu().numpy()
    place_T = np.searchsorted(tokens_V, np.asarray(answer, dtype=tokens_V.dtype)).clip(max=len(tokens_V) - 1)
    if not np.array_equal(tokens_V[place_T], answer):
        return None
    state, states = 0, list[int]()
    for place in place_T.tolist():
        states.append(state)
        state = int(next_SV[state, place])
        if state < 0:
            return None
    return tuple(states)


def possible_logprobs(hidden_TD: Tensor, head: Head, rows: Sequence[Encoded], sampling: Sampling) -> Tensor:
    """Return log p of every token of some answers among those that were possible there, in nats, shape (T,).

    Args:
        hidden_TD: The last hidden states that predict the tokens, row after row.
        head: The model's.
        rows: The rows, whose answers have T tokens together.
        sampling: As found by `fit_temperature`.
    """
    logp_T = hidden_TD.new_zeros(len(hidden_TD), dtype=torch.float32)
    for place_P, logits_PV, chosen_P in _logits(hidden_TD, head, rows, sampling.automaton):
        logp_PV = (logits_PV / sampling.temperature).log_softmax(dim=1)
        logp_T = logp_T.index_put((place_P,), logp_PV.gather(1, chosen_P[:, None])[:, 0])
    return logp_T


def expected_logprobs(
    hidden_TD: Tensor,
    head: Head,
    writer: tuple[Tensor, Head],
    rows: Sequence[Encoded],
    sampling: Sampling,
    *,
    temperature: float,
) -> Tensor:
    """Return log p averaged over what another model would have written at each place, in nats, shape (T,).

    Args:
        hidden_TD: The last hidden states that predict the tokens.
        head: The model's.
        writer: The same two of the other model.
        rows: The rows, whose answers have T tokens together.
        sampling: How the other model writes.
        temperature: Of log p, which is taken among the tokens that are possible there.
    """
    mean_T = hidden_TD.new_zeros(len(hidden_TD), dtype=torch.float32)
    models = (hidden_TD, head), writer
    for (place_P, logits_PV, _), (_, other_PV, _) in zip(
        *(_logits(*each, rows, sampling.automaton) for each in models), strict=True
    ):
        chance_PV = (other_PV.detach() / sampling.temperature).softmax(dim=1)
        logp_PV = (logits_PV / temperature).log_softmax(dim=1)
        mean_T = mean_T.index_put((place_P,), (chance_PV * logp_PV).sum(dim=1))
    return mean_T


def format_logprobs(hidden_TD: Tensor, head: Head, rows: Sequence[Encoded], automaton: Automaton | None) -> Tensor:
    """Return the log of the probability that a model writes what a format allows at each place, in nats, shape (T,).

    At temperature 1, as a student is trained. Zero where a row was not held to a format.

    Args:
        hidden_TD: The last hidden states that predict the tokens.
        head: The model's.
        rows: The rows, whose answers have T tokens together.
        automaton: The format, if any.
    """
    logp_T = hidden_TD.new_zeros(len(hidden_TD), dtype=torch.float32)
    held = [row.states is not None for row in rows for _ in row.answer]
    if automaton is None or not any(held):
        return logp_T
    place_H = torch.tensor(held, device=hidden_TD.device).nonzero()[:, 0]
    parts = place_H.split(positions_at_once(head.size))
    all_H = torch.cat([head(hidden_TD[part]).float().logsumexp(dim=1) for part in parts])
    # Of rows that were held alone: the others would be multiplied by the whole vocabulary for nothing.
    some = [row for row in rows if row.states is not None]
    *_, (_, logits_HV, _) = _logits(hidden_TD[place_H], head, some, automaton)
    return logp_T.index_put((place_H,), logits_HV.logsumexp(dim=1) - all_H)


@dataclass(frozen=True)
class Choices:
    """Of every token of some answers."""

    logp_T: Tensor
    """As `possible_logprobs` gives it."""
    first_T: Tensor
    """The likeliest of the tokens that were possible there."""
    chosen_T: Tensor
    """The token that stands there, numbered like `first_T`."""


def possible_choices(hidden_TD: Tensor, head: Head, rows: Sequence[Encoded], sampling: Sampling) -> Choices:
    """Return log-probabilities among the possible tokens, with the likeliest of these; see `possible_logprobs`."""
    logp_T = hidden_TD.new_zeros(len(hidden_TD), dtype=torch.float32)
    first_T, chosen_T = (torch.zeros(len(hidden_TD), dtype=torch.long, device=hidden_TD.device) for _ in range(2))
    for place_P, logits_PV, chosen_P in _logits(hidden_TD, head, rows, sampling.automaton):
        logp_PV = (logits_PV / sampling.temperature).log_softmax(dim=1)
        logp_T[place_P] = logp_PV.gather(1, chosen_P[:, None])[:, 0]
        first_T[place_P], chosen_T[place_P] = logits_PV.argmax(dim=1), chosen_P
    return Choices(logp_T, first_T, chosen_T)


@dataclass(frozen=True)
class Ratios:
    """Of every token of some answers: log p under one model less that under another, in nats."""

    ratio_T: Tensor
    """Of the token that stands there."""
    expected_T: Tensor
    """On average over what the other model could have written there: less than zero, by their divergence."""
    variance_T: Tensor
    """Over the same."""


def possible_ratios(
    seen: tuple[Tensor, Sampling], other: tuple[Tensor, Sampling], head: Head, rows: Sequence[Encoded]
) -> Ratios:
    """Return how much likelier each token of some answers is than another model has it, see `possible_logprobs`.

    Args:
        seen: A model's last hidden states (T, D) before the tokens, and how it would have sampled.
        other: The same of the model that it is compared with; the same tokens are possible.
        head: Of both.
        rows: The rows, whose answers have T tokens together.
    """
    ratio_T, expected_T, variance_T = (torch.zeros(len(seen[0]), device=head.device) for _ in range(3))
    parts = zip(*(_logits(hidden_TD, head, rows, how.automaton) for hidden_TD, how in (seen, other)), strict=True)
    for (place_P, one_PV, chosen_P), (_, two_PV, _) in parts:
        other_PV = (two_PV / other[1].temperature).log_softmax(dim=1)
        ratio_PV = (one_PV / seen[1].temperature).log_softmax(dim=1) - other_PV
        mean_P = (other_PV.exp() * ratio_PV).sum(dim=1)
        ratio_T[place_P], expected_T[place_P] = ratio_PV.gather(1, chosen_P[:, None])[:, 0], mean_P
        variance_T[place_P] = (other_PV.exp() * (ratio_PV - mean_P[:, None]) ** 2).sum(dim=1)
    return Ratios(ratio_T, expected_T, variance_T)


@torch.no_grad()
def states_before(model: LocalModel, rows: Sequence[Encoded], *, autocast: bool = False) -> Tensor:
    """Return the last hidden states that predict the tokens of some rows' answers, row after row, shape (T, D).

    Args:
        model: Who reads the rows.
        rows: The rows, whose answers have T tokens together.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
    """
    device = device_of(model.net)
    with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
        tables = answer_hidden(model.net, [row.prompt for row in rows], [row.answer for row in rows])
    return torch.cat(tables).to(device)


@torch.inference_mode()
def answer_logprobs(model: LocalModel, rows: Sequence[Encoded], sampling: Sampling) -> Tensor:
    """Return `possible_logprobs` of whole rows under a model, in float64 on the CPU."""
    return possible_logprobs(states_before(model, rows), head_of(model.net), rows, sampling).double().cpu()


def _logits(
    hidden_TD: Tensor, head: Head, rows: Sequence[Encoded], automaton: Automaton | None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield places of tokens, the logits of what was possible there, and which of these the tokens are."""
    device = head.device
    token_T = torch.tensor([token for row in rows for token in row.answer], device=device)
    held = [automaton is not None and row.states is not None for row in rows for _ in row.answer]
    held_T = torch.tensor(held, device=device)
    for place_P in (~held_T).nonzero()[:, 0].split(positions_at_once(head.size)):
        yield place_P, head(hidden_TD[place_P]).float(), token_T[place_P]
    if automaton is not None and any(held):
        tokens_V = automaton.tokens_V.to(device)
        state_H = torch.tensor([state for row in rows for state in row.states or ()], device=device)
        allowed_HV = automaton.next_SV.to(device)[state_H] >= 0
        logits_HV = head.only(tokens_V)(hidden_TD[held_T]).float()
        # Not minus infinity: its product with a probability of zero would be no number.
        logits_HV = logits_HV.masked_fill(~allowed_HV, -1e4)
        yield held_T.nonzero()[:, 0], logits_HV, torch.searchsorted(tokens_V, token_T[held_T])


@torch.inference_mode()
def fit_temperature(
    model: LocalModel,
    rows: Sequence[Encoded],
    automaton: Automaton | None,
    *,
    fine: bool = False,
    autocast: bool = False,
) -> Sampling:
    """Return the sampling under which some of the rows, evenly spread, are likeliest; of many rows more are read.

    Args:
        model: The base.
        rows: Of the dataset.
        automaton: The format that they were held to, if any.
        fine: Read more, and refine what was found, of few rows as well.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
    """
    head = head_of(model.net)

    some = first_rows(rows[:: -(-len(rows) // _ROWS)], _TOKENS)
    temperature = best_temperature(states_before(model, some, autocast=autocast), head, some, automaton)
    if fine or len(rows) > _PLENTY:
        tokens = sum(len(row.answer) for row in rows)
        most = first_rows(rows[:: max(1, round(tokens / _MORE_TOKENS))], _MORE_TOKENS)
        hidden_TD = states_before(model, most, autocast=autocast)
        temperature = refined_temperature(temperature, hidden_TD, head, most, automaton)
    return Sampling(automaton, temperature)


@torch.inference_mode()
def best_temperature(hidden_TD: Tensor, head: Head, rows: Sequence[Encoded], automaton: Automaton | None) -> float:
    """Return the temperature at which the hidden states' predictions make the rows' tokens likeliest."""
    total = _likelihoods(TEMPERATURES, hidden_TD, head, rows, automaton)
    return TEMPERATURES[total.index(max(total))]


@torch.inference_mode()
def refined_temperature(
    near: float, hidden_TD: Tensor, head: Head, rows: Sequence[Encoded], automaton: Automaton | None
) -> float:
    """Return the temperature between tried ones at which the tokens are likeliest.

    It is the top of the parabola, in the logarithm of the temperature, through their log-likelihood at three of them,
    and at most two steps from the middle one.

    Args:
        near: The best of the tried ones.
        hidden_TD: The last hidden states that predict the tokens.
        head: The model's.
        rows: The rows, whose answers have T tokens together.
        automaton: The format that they were held to, if any.
    """
    low, middle, high = _likelihoods((near / _STEP, near, near * _STEP), hidden_TD, head, rows, automaton)
    bend = 2 * middle - low - high
    return near * _STEP ** float(np.clip((high - low) / (2 * bend), -2, 2)) if bend > 0 else near


def _likelihoods(
    temperatures: Sequence[float],
    hidden_TD: Tensor,
    head: Head,
    rows: Sequence[Encoded],
    automaton: Automaton | None,
) -> list[float]:
    total = [0.0] * len(temperatures)
    for _, logits_PV, chosen_P in _logits(hidden_TD, head, rows, automaton):
        for at, temperature in enumerate(temperatures):
            logp_PV = (logits_PV / temperature).log_softmax(dim=1)
            total[at] += float(logp_PV.gather(1, chosen_P[:, None]).double().sum())
    return total


def first_rows(rows: Sequence[Encoded], tokens: int) -> Sequence[Encoded]:
    """Return the first rows whose answers have so many tokens together, or all rows."""
    ends = np.cumsum([len(row.answer) for row in rows])
    return rows[: int(np.searchsorted(ends, tokens)) + 1]
