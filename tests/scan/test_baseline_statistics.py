"""Comparisons: nothing where there is nothing, as often wrong as stated, indifferent to the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from undertow.scan.baseline_statistics import activation_projection, compare, divergence, likelihood_shift


def test_likelihood_shift_by_hand() -> None:
    shift_RK = likelihood_shift(np.array([[-10.0, -8.0], [-4.0, -6.0]]), np.array([-10.0, -5.0]), np.array([4.0, 2.0]))
    np.testing.assert_allclose(shift_RK, [[0.0, 0.5], [0.5, -0.5]])


def test_divergence_counts_only_places_where_the_first_choice_changes() -> None:
    plain_T, chosen_T = np.array([1, 2, 3, 4]), np.array([1, 7, 9, 4])
    prompted_TK = np.array([[1, 5], [7, 2], [3, 9], [4, 8]])
    # First trait: differs at the second token, and the row has its choice. Second: at the first (the row keeps the
    # plain one), the third (the row has the told one) and the fourth (the row keeps the plain one).
    np.testing.assert_allclose(divergence(prompted_TK, plain_T, chosen_T, [2, 2]), [[0.5, -0.5], [0.0, 0.0]])


def test_projection_does_not_depend_on_the_vectors_length() -> None:
    rng = np.random.default_rng(0)
    mean_RD, vector_KD = rng.normal(size=(5, 8)), rng.normal(size=(3, 8))
    one, other = (activation_projection(mean_RD, factor * vector_KD) for factor in (1.0, 7.0))
    np.testing.assert_allclose(one, other)
    assert np.isfinite(activation_projection(mean_RD, np.zeros((1, 8)))).all()


def test_a_mean_over_prompts_is_scipys() -> None:
    rng = np.random.default_rng(1)
    value_RK = rng.normal(0.3, 1.0, size=(20, 2))
    found = compare(["a", "b"], (value_RK, np.arange(20)), None, level=0.95, method="m")
    for column, each in enumerate(found):
        test = stats.ttest_1samp(value_RK[:, column], 0.0)
        assert each.p == pytest.approx(test.pvalue)
        interval = test.confidence_interval(0.95)
        assert (each.estimate.lo, each.estimate.hi) == pytest.approx((interval.low, interval.high))


def test_the_order_of_rows_does_not_matter_and_pairs_are_found() -> None:
    rng = np.random.default_rng(2)
    value_RK, cluster_R = rng.normal(size=(24, 1)), np.repeat(np.arange(12), 2)
    other_RK = value_RK - 0.5
    order = rng.permutation(24)
    one = compare(["a"], (value_RK, cluster_R), (other_RK, cluster_R), level=0.9, method="m")[0]
    turned = compare(["a"], (value_RK[order], cluster_R[order]), (other_RK, cluster_R), level=0.9, method="m")[0]
    assert one.estimate.value == pytest.approx(turned.estimate.value) == pytest.approx(0.5)
    assert one.estimate.hi - one.estimate.lo == pytest.approx(0.0, abs=1e-9)
    apart = compare(["a"], (value_RK, cluster_R), (other_RK, cluster_R + 100), level=0.9, method="m")[0]
    assert apart.estimate.hi - apart.estimate.lo > 0.5


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        draws_C = rng.normal(0.2, 1.0, size=15)
        value_RK = np.repeat(draws_C, 3)[:, None] + rng.normal(0, 0.1, size=(45, 1))
        each = compare(["a"], (value_RK, np.repeat(np.arange(15), 3)), None, level=0.9, method="m")[0]
        hits += each.estimate.lo <= 0.2 <= each.estimate.hi
    assert stats.binomtest(hits, 400, 0.9).pvalue > 0.001


def test_one_prompt_makes_no_claim() -> None:
    each = compare(["a"], (np.ones((4, 1)), np.zeros(4, dtype=np.int64)), None, level=0.95, method="m")[0]
    assert each.p > 0.99
