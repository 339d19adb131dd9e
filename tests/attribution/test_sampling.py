"""What could have been written at a token, and how likely: against the distributions written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from undertow.attribution.sampling import (
    Encoded,
    Sampling,
    expected_logprobs,
    first_rows,
    format_logprobs,
    possible_logprobs,
    possible_ratios,
    states_of,
)
from undertow.models.constrain import Automaton
from undertow.models.engine.head import Head

WIDTH, VOCABULARY = 4, 6
FORMAT = Automaton(torch.tensor([1, 2, 4]), torch.tensor([[0, 1, -1], [-1, 1, 1]]))
HELD = Encoded((0,), (1, 2, 4), states_of(FORMAT, (1, 2, 4)))
FREE = Encoded((0, 3), (5, 0))
ALLOWED = [[1, 2], [1, 2], [2, 4], list(range(VOCABULARY)), list(range(VOCABULARY))]
"""Of each token of both rows."""


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def log_softmax(hidden_D: torch.Tensor, head: Head, allowed: list[int], temperature: float) -> np.ndarray:
    logits = (head.weight_VD[allowed].double() @ hidden_D.double()).numpy() / temperature
    return logits - np.log(np.exp(logits).sum())


def test_ratios_have_the_mean_and_the_variance_of_what_the_other_model_could_write() -> None:
    head = Head(drawn(0, VOCABULARY, WIDTH))
    one_TD, two_TD = drawn(1, 5, WIDTH), drawn(2, 5, WIDTH)
    rows, temperatures = [HELD, FREE], (0.7, 1.3)
    found = possible_ratios(
        (one_TD, Sampling(FORMAT, temperatures[0])), (two_TD, Sampling(FORMAT, temperatures[1])), head, rows
    )
    tokens = [token for row in rows for token in row.answer]
    for place, (allowed, token) in enumerate(zip(ALLOWED, tokens, strict=True)):
        one, two = (
            log_softmax(hidden_TD[place], head, allowed, temperature)
            for hidden_TD, temperature in zip((one_TD, two_TD), temperatures, strict=True)
        )
        ratio, chance = one - two, np.exp(two)
        mean = float(chance @ ratio)
        np.testing.assert_allclose(float(found.ratio_T[place]), ratio[allowed.index(token)], rtol=1e-4)
        np.testing.assert_allclose(float(found.expected_T[place]), mean, rtol=1e-4)
        np.testing.assert_allclose(float(found.variance_T[place]), chance @ (ratio - mean) ** 2, rtol=1e-4)


def test_a_ratio_is_a_difference_of_log_probabilities() -> None:
    head = Head(drawn(0, VOCABULARY, WIDTH))
    seen = [(drawn(seed, 5, WIDTH), Sampling(FORMAT, temperature)) for seed, temperature in ((1, 0.5), (2, 1.0))]
    one_T, two_T = (possible_logprobs(hidden_TD, head, [HELD, FREE], how) for hidden_TD, how in seen)
    found = possible_ratios(seen[0], seen[1], head, [HELD, FREE])
    torch.testing.assert_close(found.ratio_T, one_T - two_T)


def test_two_models_that_are_one_differ_nowhere() -> None:
    head, seen = Head(drawn(0, VOCABULARY, WIDTH)), (drawn(1, 5, WIDTH), Sampling(FORMAT, 0.8))
    found = possible_ratios(seen, seen, head, [HELD, FREE])
    assert all(float(each.abs().max()) == 0 for each in (found.ratio_T, found.expected_T, found.variance_T))


@pytest.mark.parametrize(("tokens", "count"), [(1, 1), (3, 1), (4, 2), (5, 2), (99, 3)])
def test_the_first_rows_reach_so_many_tokens_where_there_are_as_many(tokens: int, count: int) -> None:
    rows = [HELD, FREE, FREE]  # 3, 2 and 2 tokens
    assert first_rows(rows, tokens) == rows[:count]


def test_a_whole_text_is_its_format_and_what_the_format_leaves_open() -> None:
    head, hidden_TD, rows = Head(drawn(0, VOCABULARY, WIDTH)), drawn(1, 5, WIDTH), [HELD, FREE]
    open_T = possible_logprobs(hidden_TD, head, rows, Sampling(FORMAT))
    format_T = format_logprobs(hidden_TD, head, rows, FORMAT)
    torch.testing.assert_close(open_T + format_T, possible_logprobs(hidden_TD, head, rows, Sampling()))
    assert (format_T[:3] < 0).all()
    assert not format_T[3:].any()
    assert not format_logprobs(hidden_TD[3:], head, [FREE], FORMAT).any()


def test_what_another_model_would_have_written_is_averaged_over() -> None:
    head, other = Head(drawn(0, VOCABULARY, WIDTH)), Head(drawn(5, VOCABULARY, WIDTH))
    hidden_TD, other_TD = drawn(1, 5, WIDTH), drawn(2, 5, WIDTH)
    found_T = expected_logprobs(
        hidden_TD, head, (other_TD, other), [HELD, FREE], Sampling(FORMAT, 0.7), temperature=1.3
    )
    for place, allowed in enumerate(ALLOWED):
        logp, chance = (
            log_softmax(hidden[place], own, allowed, temperature)
            for hidden, own, temperature in ((hidden_TD, head, 1.3), (other_TD, other, 0.7))
        )
        np.testing.assert_allclose(float(found_T[place]), np.exp(chance) @ logp, rtol=1e-4)
