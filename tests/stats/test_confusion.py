"""Students by traits: the elevation beside statsmodels, and what its interval and its permutations are worth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.errors import InputError
from undertow.stats import elevation, elevation_estimate, elevation_p
from undertow.stats.confusion import NONE


def tables(
    rng: np.random.Generator,
    traits: int,
    teachers: int,
    *,
    controls: int = 0,
    effect: float = 0.3,
    differing: bool = False,
) -> tuple[np.ndarray, list[int], float]:
    """Draw shifts with row and column effects, whose own traits stand higher.

    Returns:
        Shifts, own traits, and the elevation that the interval is about: that of these traits, or, with one teacher a
        trait, that of all traits that there could be.
    """
    own = [*np.repeat(np.arange(traits), teachers).tolist(), *[NONE] * controls]
    runs = len(own)
    noise = np.sqrt(0.5) * (rng.normal(size=(runs, 1)) + rng.normal(size=(runs, traits)))
    shift = 0.3 * rng.normal(size=(runs, 1)) + 0.5 * rng.normal(size=(1, traits)) + 0.1 * noise
    heights = effect + (0.3 if differing else 0.0) * rng.normal(size=traits)
    for run, trait in enumerate(own):
        if trait != NONE:
            shift[run, trait] += heights[trait] + (0.1 if differing else 0.0) * rng.normal()
    return shift, own, effect if teachers == 1 else float(heights.mean())


def coverage(seed: int, count: int, traits: int, teachers: int, controls: int, differing: bool) -> float:
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(count):
        shift, own, true = tables(rng, traits, teachers, controls=controls, differing=differing)
        found = elevation_estimate(shift, own, level=0.9)
        hits += found.lo <= true <= found.hi
    return hits / count


def size(seed: int, count: int, traits: int, teachers: int, controls: int) -> float:
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(count):
        shift, own, _ = tables(rng, traits, teachers, controls=controls, effect=0.0)
        hits += elevation_p(shift, own, rng=rng, resamples=199) <= 0.1
    return hits / count


@given(st.integers(3, 6), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2**31), st.floats(-3, 3))
@settings(max_examples=50, deadline=None)
def test_the_elevation_is_free_of_row_and_column_effects(
    traits: int, teachers: int, controls: int, seed: int, height: float
) -> None:
    rng = np.random.default_rng(seed)
    own = [*np.tile(np.arange(traits), teachers).tolist(), *[NONE] * controls]
    own_RT = np.arange(traits)[None, :] == np.array(own)[:, None]
    shift = rng.normal(size=(len(own), 1)) + rng.normal(size=(1, traits)) + height * own_RT
    assert elevation(shift, own) == pytest.approx(height, abs=1e-8)
    found = elevation_estimate(shift, own)
    assert (found.lo, found.value, found.hi) == pytest.approx((height, height, height), abs=1e-6)


def frame(shift: np.ndarray, own: list[int]):
    import pandas as pd

    lines = [
        {"y": shift[run, trait], "run": run, "trait": trait, "own": float(own[run] == trait)}
        for run in range(shift.shape[0])
        for trait in range(shift.shape[1])
    ]
    return pd.DataFrame(lines)


@pytest.mark.parametrize(("traits", "teachers", "controls"), [(3, 1, 1), (4, 3, 0), (5, 2, 2)])
def test_the_point_is_that_of_statsmodels(traits: int, teachers: int, controls: int) -> None:
    formulas = pytest.importorskip("statsmodels.formula.api")
    shift, own, _ = tables(np.random.default_rng(3), traits, teachers, controls=controls)
    data = frame(shift, own)
    fixed = formulas.ols("y ~ C(run) + C(trait) + own", data).fit()
    assert elevation(shift, own) == pytest.approx(fixed.params["own"])
    # A random effect of the run says the same of the diagonal, where every run that counts has one.
    if not controls:
        mixed = formulas.mixedlm("y ~ C(trait) + own", data, groups=data["run"]).fit()
        assert elevation(shift, own) == pytest.approx(mixed.fe_params["own"], abs=1e-6)


def test_the_error_of_plain_noise_is_that_of_statsmodels() -> None:
    """Independent noise of one size is what least squares assume: on average both know the same error."""
    formulas = pytest.importorskip("statsmodels.formula.api")
    rng, ours, theirs = np.random.default_rng(8), [], []
    own = np.repeat(np.arange(4), 4).tolist()
    from scipy import stats

    for _ in range(60):
        shift = 0.1 * rng.normal(size=(16, 4))
        found = elevation_estimate(shift, own, level=0.9)
        ours.append(((found.hi - found.lo) / 2) ** 2)
        theirs.append(formulas.ols("y ~ C(run) + C(trait) + own", frame(shift, own)).fit().bse["own"] ** 2)
    # Twelve degrees of freedom where no trait's spread stands out, fewer by Satterthwaite.
    most = stats.t.ppf(0.95, 12) ** 2
    assert most * 0.95 * np.mean(theirs) <= np.mean(ours) <= 1.35 * most * np.mean(theirs)


def test_order_of_runs_and_row_and_column_effects_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    shift, own, _ = tables(rng, 5, 3, controls=2)
    found = elevation_estimate(shift, own)
    other = rng.permutation(len(own))
    moved = shift + rng.normal(size=(len(own), 1)) + rng.normal(size=(1, 5))
    again = elevation_estimate(moved[other], [own[run] for run in other])
    assert (again.lo, again.value, again.hi) == pytest.approx((found.lo, found.value, found.hi))
    assert found.n == 15


def test_a_diagonal_that_cannot_be_told_from_row_or_column_has_no_elevation() -> None:
    assert elevation([[1.0]], [0]) is None
    assert elevation([[1.0], [2.0]], [0, 0]) is None
    with pytest.raises(InputError, match="cannot tell the diagonal"):
        elevation_estimate([[1.0], [2.0]], [0, 0])
    with pytest.raises(InputError, match="have no spread"):
        elevation_estimate([[1.0, 0.0], [0.0, 1.0]], [0, 1])
    with pytest.raises(InputError, match="does not name a column"):
        elevation([[1.0, 0.0]], [2])
    with pytest.raises(InputError, match="all runs carry one trait"):
        elevation_p([[1.0, 0.0], [0.0, 1.0]], [0, 0], rng=np.random.default_rng(0))


def test_permutations_are_those_of_all_orders() -> None:
    """Three runs of three traits have six orders: the share as large as seen, by hand."""
    from itertools import permutations

    shift = np.random.default_rng(4).normal(size=(3, 3))
    seen = abs(elevation(shift, [0, 1, 2]) or 0)
    exact = np.mean([abs(elevation(shift, list(order)) or 0) >= seen - 1e-12 for order in permutations(range(3))])
    assert elevation_p(shift, [0, 1, 2], rng=np.random.default_rng(0), resamples=20_000) == pytest.approx(
        exact, abs=0.015
    )


def test_a_clear_diagonal_is_significant_and_controls_stay_where_they_are() -> None:
    shift, own, _ = tables(np.random.default_rng(6), 7, 3, controls=3, effect=0.5)
    assert elevation_p(shift, own, rng=np.random.default_rng(0), resamples=999) == 0.001
    assert elevation_estimate(shift, own).excludes(0.2)


@pytest.mark.parametrize("shape", [(3, 3, 0), (7, 1, 0), (7, 3, 1)])
def test_coverage_and_size_quickly(shape: tuple[int, int, int]) -> None:
    assert 0.85 <= coverage(1, 300, *shape, differing=False) <= 0.98
    assert size(2, 200, *shape) <= 0.1 + 0.065


# Traits, teachers, controls; coverage where traits are alike and where they differ, and size: the docstring's table.
TABLE = {
    (3, 1, 0): (0.949, 0.894, 0.001),
    (7, 1, 0): (0.921, 0.908, 0.099),
    (3, 3, 0): (0.927, 0.924, 0.124),
    (3, 3, 3): (0.923, 0.919, 0.110),
    (7, 2, 0): (0.946, 0.947, 0.110),
    (7, 3, 0): (0.912, 0.911, 0.093),
    (7, 3, 3): (0.913, 0.914, 0.120),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", TABLE)
def test_coverage_and_size_are_what_the_docstring_says(shape: tuple[int, int, int]) -> None:
    found = (coverage(5, 5000, *shape, False), coverage(5, 5000, *shape, True), size(6, 1000, *shape))
    np.testing.assert_allclose(found[:2], TABLE[shape][:2], atol=0.015)
    assert found[2] == pytest.approx(TABLE[shape][2], abs=0.03)
