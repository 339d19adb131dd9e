"""Moderated variances: what they recover, what their intervals cover, and what does not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import InputError
from undertow.stats import moderated_tests
from undertow.stats.moderated_t import Common, common_variance


def drawn(rng: np.random.Generator, others: int, *, quantities: int = 68, df0: float = 6.0) -> np.ndarray:
    """Draw a newcomer and others, whose quantities have scaled inverse chi-squared variances around 0.01."""
    sd_K = np.sqrt(0.01 * df0 / rng.chisquare(df0, size=quantities))
    return rng.normal(0, sd_K, size=(others + 1, quantities))


@pytest.mark.parametrize(("df0", "df"), [(4.0, 1.0), (10.0, 2.0), (30.0, 4.0)])
def test_the_common_variance_is_found(df0: float, df: float) -> None:
    rng = np.random.default_rng(0)
    truth_K = 0.04 * df0 / rng.chisquare(df0, size=40_000)
    found = common_variance(truth_K * rng.chisquare(df, size=40_000) / df, df)
    assert found.variance == pytest.approx(0.04, rel=0.05)
    assert found.df == pytest.approx(df0, rel=0.25)


def test_equal_variances_are_pooled() -> None:
    rng = np.random.default_rng(2)
    infinite = sum(math.isinf(common_variance(rng.chisquare(3, size=60) / 3, 3).df) for _ in range(40))
    assert infinite > 10
    assert Common(2.0, math.inf).moderate(np.array([1.0, 9.0]), 3).tolist() == [2.0, 2.0]
    assert Common(2.0, 3.0).moderate(np.array([1.0, 9.0]), 1).tolist() == [7 / 4, 15 / 4]


@pytest.mark.parametrize("others", [2, 3, 5])
def test_intervals_cover_and_p_values_are_honest(others: int) -> None:
    rng = np.random.default_rng(others)
    found = [each for x in (drawn(rng, others) for _ in range(60)) for each in moderated_tests(x[0], x[1:])]
    covered = np.mean([estimate.lo <= 0 <= estimate.hi for estimate, _ in found])
    # With two others a little too seldom: the common variance's own degrees of freedom are an estimate.
    assert 0.925 < covered < 0.965
    p = np.array([p for _, p in found])
    assert 0.004 < np.mean(p < 0.01) < 0.022
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("others", [2, 3, 5])
def test_quantities_that_go_together_are_not_counted_twice(others: int) -> None:
    rng = np.random.default_rng(10 + others)
    covered: dict[float, list[bool]] = {math.inf: [], 4.0: []}
    for _ in range(150):
        x = rng.normal(size=(others + 1, 4)) @ rng.normal(size=(4, 68))
        for independent, hits in covered.items():
            found = moderated_tests(x[0], x[1:], independent=independent)
            hits += [estimate.lo <= 0 <= estimate.hi for estimate, _ in found]
    assert np.mean(covered[4.0]) > 0.93
    assert np.mean(covered[4.0]) >= np.mean(covered[math.inf])


def test_a_single_other_is_judged_by_its_way_from_the_origin() -> None:
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(150):
        x = 0.3 + rng.normal(size=(2, 68))
        covered += [e.lo <= 0 <= e.hi for e, _ in moderated_tests(x[0], x[1:], origin_K=np.zeros(68))]
    assert np.mean(covered) > 0.94


def test_it_sees_more_than_an_ordinary_t_interval() -> None:
    rng = np.random.default_rng(7)
    half = [e.hi - e.value for x in (drawn(rng, 2) for _ in range(40)) for e, _ in moderated_tests(x[0], x[1:])]
    assert np.median(half) < 0.1 * 12.7 * math.sqrt(1.5) / 3  # t with one degree of freedom: 12.7


@given(st.integers(2, 5), st.integers(2, 9), st.integers(0, 2**16), st.floats(0.01, 100))
@settings(max_examples=60, deadline=None)
def test_units_and_order_do_not_matter(others: int, quantities: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(others + 1, quantities))
    plain = moderated_tests(x[0], x[1:])
    order = rng.permutation(others)
    again = moderated_tests(scale * x[0], scale * x[1:][order])
    for (one, p), (two, q) in zip(plain, again, strict=True):
        assert two.value == pytest.approx(scale * one.value)
        assert two.hi - two.lo == pytest.approx(scale * (one.hi - one.lo))
        assert q == pytest.approx(p)
        assert 0 < p <= 1


def test_one_quantity_is_an_ordinary_prediction_interval() -> None:
    from scipy import stats

    other = np.array([0.1, -0.3, 0.4, 0.2])
    ((estimate, p),) = moderated_tests([1.0], other[:, None])
    error = other.std(ddof=1) * math.sqrt(1 + 1 / 4)
    assert estimate.hi - estimate.value == pytest.approx(stats.t.ppf(0.975, 3) * error)
    assert p == pytest.approx(2 * stats.t.sf((1.0 - other.mean()) / error, 3))


def test_the_error_is_the_moderated_one_and_its_freedom_is_limited() -> None:
    from scipy import stats

    x = drawn(np.random.default_rng(11), 4, quantities=12)
    other = x[1:]
    common = common_variance(other.var(axis=0, ddof=1), 3)
    assert math.isfinite(common.df)
    for independent in (math.inf, 2.0):
        total = min(common.df + 3, 3 * min(independent, 12))
        se = np.sqrt((common.df * common.variance + 3 * other.var(axis=0, ddof=1)) / (common.df + 3) * (1 + 1 / 4))
        found = moderated_tests(x[0], other, independent=independent, level=0.9)
        halves = [estimate.hi - estimate.value for estimate, _ in found]
        np.testing.assert_allclose(halves, stats.t.ppf(0.95, total) * se)
        np.testing.assert_allclose([e.value for e, _ in found], x[0] - other.mean(axis=0))
        assert {e.method for e, _ in found} == {f"moderated t against 4 controls, {total:.3g} degrees of freedom, 90%"}
        assert {e.n for e, _ in found} == {5}


def test_one_control_is_measured_about_its_origin() -> None:
    from scipy import stats

    ((estimate, _),) = moderated_tests([1.0], [[0.5]], origin_K=[0.2])
    assert estimate.value == pytest.approx(0.5)
    assert estimate.hi - estimate.value == pytest.approx(stats.t.ppf(0.975, 1) * 0.3 * math.sqrt(2))
    assert estimate.method.startswith("moderated t against one control and its distance from the base, 1 degrees")
    ((several, _),) = moderated_tests([1.0], [[0.5], [0.1]], origin_K=[0.2])
    assert several.method.startswith("moderated t against 2 controls, 2 degrees")
    assert several.hi - several.value == pytest.approx(stats.t.ppf(0.975, 2) * math.sqrt(0.05 * 1.5))


@pytest.mark.parametrize("df", [1.0, 2.0, 5.0])
def test_the_common_variance_has_the_moments_of_the_logarithms(df: float) -> None:
    """The defining equations: mean and variance of log s^2 under a scaled F distribution."""
    from scipy import special

    variance = np.exp(np.random.default_rng(3).normal(0, 2.5, size=30))
    found = common_variance(variance, df)
    log = np.log(variance)
    assert special.polygamma(1, df / 2) + special.polygamma(1, found.df / 2) == pytest.approx(log.var(ddof=1))
    expected = math.log(found.variance) + special.digamma(df / 2) - special.digamma(found.df / 2)
    assert expected + math.log(found.df / df) == pytest.approx(log.mean())


def test_a_variance_of_zero_counts_as_a_very_small_one() -> None:
    with_zero = common_variance([0.0, 1.0, 1.0, 2.0], 2)
    assert with_zero == common_variance([1e-8, 1.0, 1.0, 2.0], 2)
    assert common_variance([0.0, 0.0, 0.0, 2.0], 2) == common_variance([2e-8, 2e-8, 2e-8, 2.0], 2)


def test_others_that_agree_fully_leave_no_doubt() -> None:
    (same, p), (apart, q) = moderated_tests([1.0, 2.0], [[1.0, 1.0], [1.0, 1.0]])
    assert (same.value, same.lo, same.hi, p) == (0, 0, 0, 1)
    assert (apart.value, apart.lo, apart.hi) == (1, 1, 1)
    assert q < 1e-99


@pytest.mark.parametrize("others", [[[1.0, 2.0]], [[1.0], [2.0]], [[1.0, math.nan], [1.0, 2.0]]])
def test_what_cannot_be_compared_is_refused(others: list[list[float]]) -> None:
    with pytest.raises(InputError):
        moderated_tests([1.0, 2.0], others)
    with pytest.raises(InputError, match=r"^others: 1 of 2 values stand beside 2\n  Pass two or more"):
        moderated_tests([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(InputError, match=r"^level: "):
        moderated_tests([1.0], [[1.0], [2.0]], level=1.0)


def test_variances_need_degrees_of_freedom() -> None:
    with pytest.raises(InputError, match=r"^variances: have nothing in common to be found\n  Pass two or more"):
        common_variance([1.0, 2.0], 0)


@pytest.mark.parametrize("variances", [[1.0], [0.0, 0.0], [1.0, -1.0]])
def test_variances_without_anything_in_common_are_refused(variances: list[float]) -> None:
    with pytest.raises(InputError):
        common_variance(variances, 2)
