"""Growth curves: closed forms, and the coverage of the interval under curves of several shapes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from undertow.errors import InputError
from undertow.stats import growth as module
from undertow.stats.growth import UNSURE, USUAL, Extrapolation, growth

SPENT = (0.25, 0.5, 1.0)
CERTAIN = Extrapolation(spread=0.0, floor=0.0)


def table(curve_T: np.ndarray, seeds: int = 3, questions: int = 4, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return curve_T[None, :, None] + noise * rng.normal(size=(seeds, len(curve_T), questions))


@pytest.mark.parametrize("exponent", [0.0, 0.35, 1.0, 1.4])
def test_an_exponent_that_is_plain_to_see_is_found(exponent: float) -> None:
    shape = np.array(SPENT) ** exponent
    found = growth([table(a * shape, noise=1e-4, seed=at) for at, a in enumerate((1.0, -0.5, 0.2))], SPENT, 8.0)
    assert found.exponent == pytest.approx(exponent, abs=0.011)
    assert found.ratio == 8.0
    for a, each in zip((1.0, -0.5, 0.2), found.traits, strict=True):
        assert each.last.value == pytest.approx(a, abs=1e-3)
        assert each.linear.value == pytest.approx(8 * each.last.value)
        assert each.full.value == pytest.approx(each.last.value * 8**found.exponent)


def test_without_a_signal_the_exponent_is_the_usual_one() -> None:
    alone = growth([table(np.ones(1), noise=0.1)], (1.0,), 4.0)
    assert alone.exponent == USUAL
    noisy = growth([table(0.01 * np.array(SPENT), noise=5.0)], SPENT, 4.0)
    assert abs(noisy.exponent - USUAL) < UNSURE / 2


def test_nothing_moved_is_zero_with_no_interval_but_the_floor() -> None:
    found = growth([np.zeros((3, 3, 4)), np.zeros((3, 3, 2))], SPENT, 16.0)
    for each in found.traits:
        assert (each.last.value, each.last.lo, each.last.hi) == (0.0, 0.0, 0.0)
        assert each.full.value == 0.0
        assert each.full.hi == pytest.approx(1.96 * Extrapolation().floor * np.log(16), rel=0.02)
        assert each.p == each.p_adjusted == 1.0


def test_a_rehearsal_of_the_whole_training_extrapolates_nothing() -> None:
    tables = [table(np.array(SPENT), noise=0.1, seed=at) for at in range(3)]
    for each in growth(tables, SPENT, 1.0).traits:
        assert each.full.value == each.last.value == each.linear.value
        assert (each.full.lo, each.full.hi) == pytest.approx((each.last.lo, each.last.hi), abs=2e-3)


def test_the_interval_is_that_of_the_last_shift_where_the_growth_is_certain() -> None:
    tables = [table(np.array(SPENT), noise=0.3, seed=at) for at in range(3)]
    found = growth(tables, SPENT, 9.0, extrapolation=CERTAIN)
    for each in found.traits:
        scale = 9**found.exponent
        assert (each.full.lo, each.full.hi) == pytest.approx((scale * each.last.lo, scale * each.last.hi), rel=0.02)


def test_the_interval_grows_with_the_ratio_and_never_shrinks_below_the_seeds_own() -> None:
    tables = [table(0.3 * np.array(SPENT), noise=0.1, seed=at) for at in range(3)]
    width = [
        np.array([each.full.hi - each.full.lo for each in growth(tables, SPENT, full).traits]) for full in (1, 2, 4, 16)
    ]
    assert all((after > before).all() for before, after in pairwise(width))


def test_without_a_floor_the_interval_excludes_zero_exactly_where_the_seeds_do() -> None:
    beyond = Extrapolation(floor=0.0)
    tables = [table(a * np.array(SPENT), noise=0.2, seed=at) for at, a in enumerate(np.linspace(0, 0.6, 12))]
    found = growth(tables, SPENT, 16.0, extrapolation=beyond).traits
    assert [each.full.excludes(0) for each in found] == [each.last.excludes(0) for each in found]
    assert [each.p < 0.05 for each in found] == [each.last.excludes(0) for each in found]


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 2, 0]])
def test_the_order_of_seeds_and_of_questions_says_nothing(order: list[int]) -> None:
    tables = [table(np.array(SPENT), noise=0.2, questions=3, seed=at) for at in range(4)]
    plain = growth(tables, SPENT, 4.0)
    other = growth([each[order][:, :, order] for each in tables], SPENT, 4.0)
    for one, two in zip(plain.traits, other.traits, strict=True):
        assert one.full.lo == pytest.approx(two.full.lo)
        assert one.p == pytest.approx(two.p)


def test_a_calibration_scales_what_is_predicted() -> None:
    tables = [table(np.array(SPENT), noise=0.1, seed=at) for at in range(3)]
    plain = growth(tables, SPENT, 4.0, extrapolation=Extrapolation(1.0, 0.1, 0.0))
    half = growth(tables, SPENT, 4.0, extrapolation=Extrapolation(0.5, 0.1, 0.0))
    for one, two in zip(plain.traits, half.traits, strict=True):
        assert (two.full.value, two.full.lo) == pytest.approx((one.full.value / 2, one.full.lo / 2))


@pytest.mark.parametrize(
    ("shifts", "spent", "full"),
    [
        ([np.zeros((1, 3, 4))], SPENT, 2.0),
        ([np.zeros((3, 2, 4))], SPENT, 2.0),
        ([np.zeros((3, 3, 4))], (0.5, 0.5, 1.0), 2.0),
        ([np.zeros((3, 3, 4))], (0.0, 0.5, 1.0), 2.0),
        ([np.zeros((3, 3, 4))], SPENT, float("nan")),
        ([], SPENT, 2.0),
        ([np.full((3, 3, 4), np.nan)], SPENT, 2.0),
    ],
)
def test_what_does_not_fit_is_refused(shifts: list[np.ndarray], spent: tuple[float, ...], full: float) -> None:
    with pytest.raises(InputError):
        growth(shifts, spent, full)


Shape = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From summed rates, 1 at the rehearsal's end, to a curve."""
SHAPES: dict[str, Shape] = {
    "exponent 0.3": lambda x, rng: x**0.3,
    "exponent 0.7": lambda x, rng: x**0.7,
    "exponent 1.0": lambda x, rng: x,
    "each its own": lambda x, rng: x ** rng.normal(USUAL, UNSURE),
    "saturating": lambda x, rng: -np.expm1(-x / 4) * 4,
    "saturated": lambda x, rng: -np.expm1(-3 * x),
    "nothing": lambda x, rng: 0 * x,
    "quadratic": lambda x, rng: x**2,
    "comes back": lambda x, rng: x * np.exp(-x / 4),
    "late": lambda x, rng: np.maximum(x - 2, 0),
}
TRAITS, QUESTIONS, SEEDS = 24, 18, 3


def panel(shape: str, ratio: float, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw a rehearsal's tables, and what full trainings do on average.

    A student's own luck has three common factors, which traits share, and grows with the steps. Questions differ in how
    strongly they show a shift, and in how they react to any training.
    """
    share = np.array([*SPENT, ratio])
    size_K = rng.normal(0, 0.3, TRAITS)
    curve_KT = np.array([a * SHAPES[shape](share, rng) for a in size_K])
    loading_KF = rng.normal(size=(TRAITS, 3)) / 3**0.5
    walk = np.sqrt(np.diff(share[:3], prepend=0.0))
    luck_SFT = np.cumsum(rng.normal(size=(SEEDS, 3, 3)) * walk, axis=2)
    tables: list[np.ndarray] = []
    for curve_T, loading_F in zip(curve_KT, loading_KF, strict=True):
        strength_Q = 1 + 0.3 * rng.normal(size=QUESTIONS)
        odd_QT = 0.05 * rng.normal(size=(QUESTIONS, 1)) * share[:3]
        luck_ST = 0.05 * np.einsum("f,sft->st", loading_F, luck_SFT)
        noise_STQ = 0.05 * rng.normal(size=(SEEDS, 3, QUESTIONS))
        tables.append(curve_T[None, :3, None] * strength_Q + odd_QT.T[None] + luck_ST[..., None] + noise_STQ)
    return tables, curve_KT[:, -1]


def coverage(shape: str, ratio: float, *, panels: int, seed: int = 0) -> float:
    """Measure how often the 95% interval holds what full trainings do on average."""
    held: list[bool] = []
    for at in range(panels):
        tables, truth_K = panel(shape, ratio, np.random.default_rng([seed, at]))
        found = growth(tables, SPENT, ratio, independent=2.0)
        held += [each.full.lo <= true <= each.full.hi for each, true in zip(found.traits, truth_K, strict=True)]
    return float(np.mean(held))


COVERED = ("exponent 0.3", "exponent 0.7", "exponent 1.0", "each its own", "saturating", "saturated", "nothing")


@pytest.mark.parametrize("shape", COVERED)
def test_intervals_cover_curves_between_no_growth_and_linear_growth(shape: str) -> None:
    assert coverage(shape, 4.0, panels=12) > 0.88


STATED = {
    "exponent 0.3": (1.0, 1.0),
    "exponent 0.7": (1.0, 1.0),
    "exponent 1.0": (0.99, 1.0),
    "each its own": (0.96, 0.95),
    "saturating": (1.0, 1.0),
    "saturated": (0.99, 1.0),
    "nothing": (0.97, 0.98),
    "comes back": (0.99, 0.28),
    "quadratic": (0.32, 0.16),
    "late": (0.31, 0.20),
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_table_of_the_module_is_measured_again(shape: str) -> None:
    for ratio, stated in zip((4.0, 16.0), STATED[shape], strict=True):
        # A panel's traits go together, so that 40 panels are fewer draws than their 960 intervals.
        assert coverage(shape, ratio, panels=40, seed=1) == pytest.approx(stated, abs=0.09)


@pytest.mark.parametrize("shape", ["late", "comes back"])
def test_a_turn_after_the_rehearsal_cannot_be_foreseen(shape: str) -> None:
    assert coverage(shape, 16.0, panels=12) < 0.8


def test_the_module_states_its_prior() -> None:
    assert module.__doc__ is not None
    assert f"mean {USUAL} and standard deviation {UNSURE}" in module.__doc__


def test_false_alarms_over_a_panel_are_rare() -> None:
    alarms = 0
    for at in range(60):
        tables, _ = panel("nothing", 4.0, np.random.default_rng([1, at]))
        alarms += min(each.p_adjusted for each in growth(tables, SPENT, 4.0, independent=2.0).traits) < 0.05
    assert alarms <= 8
