"""What the docstrings of `undertow.stats` claim: coverage of intervals, size and power of tests.

The quick tests use few tables and wide margins; the slow ones measure the tables of the docstrings again.
"""

from __future__ import annotations

import numpy as np
import pytest

from undertow.stats import (
    cluster_bootstrap,
    mean_estimate,
    paired_difference,
    paired_test,
    power_of,
    smallest_effect,
    transfer_fraction,
    verdict,
)

# Standard deviations of seed effects, question effects and residual.
MIXES = {"seeds": (1.0, 0.1, 0.3), "questions": (0.05, 1.0, 0.3), "both": (0.3, 1.0, 0.5)}
NULL = (0.5, 0.0, 0.3)


def noise(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    return rng.normal(size=shape) if kind == "normal" else rng.exponential(size=shape) - 1


def tables(rng, count, seeds, questions, mix, kind, *, effect=0.0) -> np.ndarray:
    """Draw tables with random seeds and questions whose true mean is `effect`."""
    seed_sd, question_sd, residual_sd = mix
    return (
        effect
        + seed_sd * noise(rng, (count, seeds, 1), kind)
        + question_sd * noise(rng, (count, 1, questions), kind)
        + residual_sd * noise(rng, (count, seeds, questions), kind)
    )


def nulls(rng, count, seeds, questions, kind, mix=NULL) -> np.ndarray:
    """Draw differences of two arms that differ by noise alone."""
    arms = [tables(rng, count, seeds, questions, mix, kind) for _ in range(2)]
    return arms[0] - arms[1]


def coverage(data: np.ndarray, level: float = 0.95) -> float:
    """Measure how often the interval of `mean_estimate` covers zero."""
    return float(np.mean([not mean_estimate(x, level=level).excludes(0.0) for x in data]))


def margin(count: int, rate: float = 0.05) -> float:
    """Allow for three standard errors of a simulated rate."""
    return 3 * (rate * (1 - rate) / count) ** 0.5


@pytest.mark.parametrize(
    ("seeds", "questions", "mix"),
    [(3, 1, "seeds"), (8, 1, "seeds"), *((s, q, m) for s, q in ((3, 50), (5, 10), (8, 50)) for m in MIXES)],
)
def test_interval_covers_the_population_mean(seeds, questions, mix):
    rng = np.random.default_rng(1)
    assert coverage(tables(rng, 1500, seeds, questions, MIXES[mix], "normal")) >= 0.945 - margin(1500)


def test_interval_is_not_needlessly_wide_when_seeds_dominate():
    rng = np.random.default_rng(2)
    assert coverage(tables(rng, 1500, 5, 50, MIXES["seeds"], "normal")) <= 0.955 + margin(1500)


def test_interval_holds_where_the_seeds_only_interval_fails():
    rng = np.random.default_rng(3)
    data = tables(rng, 800, 5, 10, MIXES["questions"], "normal")
    seeds_only = np.mean([not mean_estimate(x.mean(axis=1, keepdims=True)).excludes(0.0) for x in data])
    assert seeds_only < 0.5
    assert coverage(data) > 0.92


def false_fails(count, seeds, kind) -> float:
    """Measure how often two arms that differ by noise alone are judged 'fail'."""
    rng = np.random.default_rng(4)
    failures = 0
    for _ in range(count):
        trait, control = (tables(rng, 1, seeds, 20, NULL, kind)[0] for _ in range(2))
        effect = paired_difference(trait, control)
        p = paired_test(trait - control, rng=rng).p
        # With the tiniest smallest effect every interval above zero is a 'fail': the worst case.
        judged = verdict(effect, p, smallest_effect=1e-9, level=0.95, unit="log-odds", what="owl")
        failures += judged.status == "fail"
    return failures / count


@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("seeds", [1, 3, 8])
def test_null_chain_rarely_says_fail(seeds, kind):
    assert false_fails(400, seeds, kind) <= 0.025 + margin(400, 0.025)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("seeds", [1, 2, 3, 5, 8, 16])
def test_null_chain_rarely_says_fail_measured_closely(seeds, kind):
    assert false_fails(5000, seeds, kind) <= 0.025 + margin(5000, 0.025)


@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("seeds", [3, 8, 14])
def test_null_size_of_the_paired_test(seeds, kind):
    rng = np.random.default_rng(5)
    p = np.array([paired_test(x, rng=rng).p for x in nulls(rng, 600, seeds, 10, kind)])
    for alpha in (0.01, 0.05, 0.2):
        assert np.mean(p <= alpha) <= alpha + margin(600, alpha)


def test_transfer_fraction_covers_the_true_ratio():
    rng = np.random.default_rng(6)
    assert transfer_coverage(rng, 200, 5, "normal", "per seed") >= 0.95 - margin(200)


def transfer_coverage(rng, count, seeds, kind, teachers) -> float:
    """Measure how often the interval covers a ratio of 0.2, questions that differ in strength included."""
    hits = []
    for _ in range(count):
        rows = 1 if teachers == "one" else seeds
        strength_TQ = tables(rng, 1, rows, 50, (0.3 if rows > 1 else 0.0, 1.0, 0.3), kind, effect=3.0)[0]
        moved = 0.2 * strength_TQ + tables(rng, 1, seeds, 50, (0.2, 0.1, 0.3), kind)[0]
        base_Q, control = rng.normal(size=50), rng.normal(size=(seeds, 50))
        estimate = transfer_fraction(control + moved, control, base_Q + strength_TQ, base_Q)
        if estimate is not None:
            hits.append(estimate.lo <= 0.2 <= estimate.hi)
    assert len(hits) > 0.95 * count
    return float(np.mean(hits))


def test_power_formula_agrees_with_simulation():
    rng = np.random.default_rng(7)
    effect = smallest_effect(0.5, 5)
    data = tables(rng, 2000, 5, 1, (0.5, 0.0, 0.0), "normal", effect=effect)
    simulated = 1 - coverage(data)
    assert abs(simulated - 0.8) <= margin(2000, 0.8)
    assert abs(simulated - power_of(effect, 0.5, 5)) <= margin(2000, 0.8)


def test_bootstrap_under_covers_with_three_seeds_as_documented():
    rng = np.random.default_rng(8)
    assert 0.60 < bootstrap_coverage(rng, 300, 3) < 0.85


def bootstrap_coverage(rng, count, seeds) -> float:
    data = tables(rng, count, seeds, 50, MIXES["seeds"], "normal")
    return float(np.mean([not cluster_bootstrap(x, rng=rng, resamples=1000).excludes(0.0) for x in data]))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
def test_coverage_tables(seeds, kind):
    rng = np.random.default_rng(100)
    least = 0.945 if kind == "normal" else 0.875
    for questions in (1, 10, 50):
        for name, mix in MIXES.items():
            if questions > 1 or name == "seeds":
                measured = coverage(tables(rng, 6000, seeds, questions, mix, kind))
                assert measured >= least - margin(6000), (questions, name)
        assert coverage(nulls(rng, 6000, seeds, questions, kind)) >= 0.95 - margin(6000), questions


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("seeds", [2, 3, 5, 8, 16])
def test_size_table(seeds, kind):
    rng = np.random.default_rng(101)
    p = np.array([paired_test(x, rng=rng).p for x in nulls(rng, 6000, seeds, 50, kind)])
    for alpha in (0.01, 0.05):
        assert np.mean(p <= alpha) <= alpha + margin(6000, alpha)


@pytest.mark.slow
@pytest.mark.parametrize("teachers", ["one", "per seed"])
@pytest.mark.parametrize("seeds", [3, 8])
def test_transfer_table(seeds, teachers):
    rng = np.random.default_rng(102)
    assert transfer_coverage(rng, 3000, seeds, "normal", teachers) >= 0.945 - margin(3000)
