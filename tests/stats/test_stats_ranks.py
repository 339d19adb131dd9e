"""Rank correlation and p-values among draws: oracles, invariances, validity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from undertow.errors import InputError
from undertow.stats import drawn_p, spearman


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=20, unique=True))
@settings(max_examples=30)
def test_rank_correlation_ignores_monotone_maps(values: list[float]) -> None:
    one = np.array(values)
    assert spearman(one, np.arange(len(one))[one.argsort().argsort()]) == pytest.approx(1.0)
    assert spearman(one, np.ones(len(one))) == 0.0


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 6, size=(2, 40)).astype(float)
    assert spearman(left, right) == pytest.approx(scipy_stats.spearmanr(left, right)[0])


def test_a_p_among_draws_counts_what_was_seen_among_them() -> None:
    assert drawn_p(np.arange(9.0), 6.0) == pytest.approx(0.4)
    assert drawn_p(np.arange(9.0), 100.0) == pytest.approx(0.1)
    assert drawn_p(np.arange(9.0), -1.0) == 1.0


def test_what_is_no_number_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match=r"^null_N: holds 1 values"):
        drawn_p([1.0, np.nan], 1.0)
    with pytest.raises(InputError, match=r"^seen: holds 1 values"):
        drawn_p([1.0, 2.0], np.inf)


def test_rank_correlation_ignores_order_and_turns_with_the_sign() -> None:
    rng = np.random.default_rng(4)
    left, right = rng.normal(size=(2, 15))
    order = rng.permutation(15)
    assert spearman(left[order], right[order]) == pytest.approx(spearman(left, right))
    assert spearman(-left, right) == pytest.approx(-spearman(left, right))
    assert spearman(right, left) == spearman(left, right)
    assert spearman(np.ones(15), np.ones(15)) == 0.0


def test_columns_and_several_statistics_are_the_single_ones() -> None:
    rng = np.random.default_rng(1)
    null_NK, seen_K = rng.normal(size=(50, 3)), rng.normal(size=3)
    alone = [float(drawn_p(null_NK[:, at], seen_K[at])) for at in range(3)]
    np.testing.assert_array_equal(drawn_p(null_NK, seen_K), alone)
    beside_one = [float(drawn_p(null_NK[:, 0], each)) for each in seen_K]
    np.testing.assert_array_equal(drawn_p(null_NK[:, 0], seen_K), beside_one)


def test_a_p_among_draws_is_valid() -> None:
    rng = np.random.default_rng(2)
    found = drawn_p(rng.normal(size=(199, 4000)), rng.normal(size=4000))
    for level in (0.01, 0.05, 0.2):
        share = float((found <= level).mean())
        assert share <= level + 3 * (level * (1 - level) / 4000) ** 0.5


@given(st.floats(-1e9, 1e9), st.integers(1, 30))
@settings(max_examples=50)
def test_equal_draws_count_as_large_however_they_were_added_up(seen: float, draws: int) -> None:
    assert drawn_p(np.full(draws, seen * (1 - 1e-15)), seen) == 1.0
