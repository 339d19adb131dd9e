"""What a longer training would do, from shorter ones: a growth curve, and an interval that holds how uncertain it is.

Short trainings give the difference of two students, by seed, at a few steps, for many traits. Steps are counted by the
learning rate that was spent up to there (its sum). The same share of two schedules is then the same place, and a step
at a rate near zero counts for little. The curve is

    shift = a x (summed rate)^b

with an `a` for each trait, the last measured shift, and one exponent `b` for all. Its three usual readings are nested:
b = 0 is no growth, b = 1 is linear growth, and between them lies what is fitted. The fit is by least squares in units
of each trait's error, with a prior of mean 0.7 and standard deviation 0.3 on the exponent. Traits go together, so that
all of them count as no more than `independent` ones.

The interval holds three things. Seeds and questions: the moderated variance of seeds' means (`moderated_t`) and the
questions' own (`_spread`). The exponent: off by `spread`, so that the error grows with the logarithm of the ratio of
full and rehearsed training. What no exponent says: off by `floor` times that logarithm, in log-odds. Both are stated,
not measured, until a calibration gives them.

Coverage of 95% intervals for the mean of full trainings, 4 and 16 times as long as the rehearsal. Each cell is from 100
simulated panels of 24 traits, three seeds and 18 questions (`tests/stats/test_growth.py` measures it again):

                                       4 times   16 times
    exponent 0.3                          1.00       1.00
    exponent 0.7                          1.00       1.00
    exponent 1.0                           .99       1.00
    each trait its own exponent            .96        .95
    saturating later (at 4)               1.00       1.00
    saturating in the rehearsal            .99       1.00
    nothing but noise                      .97        .98
    rises and comes back (after 4)         .99        .28
    quadratic                              .32        .16
    starts after the rehearsal             .31        .20

The intervals are made for traits that each have an exponent of their own, so they are wide where all share one. The
last three rows are what a rehearsal cannot foresee: a shift that turns, speeds up or starts after its end.

It knows nothing of models.

    grown = growth(shift_K, spent_T, full, level=0.95)
    grown.traits[0].full          # Estimate
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from undertow.errors import InputError
from undertow.stats._checks import Floats, finite, level_in_range, percent
from undertow.stats._spread import Error, question_error
from undertow.stats.estimate import Estimate
from undertow.stats.moderated_t import moderated_variances
from undertow.stats.multiplicity import holm

USUAL, UNSURE = 0.7, 0.3
"""Mean and standard deviation of the exponent before anything is seen: between no growth and linear growth."""
_EXPONENTS = np.linspace(0.0, 1.5, 151)
_DRAWS = 8192


@dataclass(frozen=True)
class Extrapolation:
    """How far measured shifts of full trainings lie from predicted ones; each per unit of log(full / rehearsed)."""

    slope: float = 1.0
    """Measured shift per predicted one, whatever the ratio."""
    spread: float = UNSURE
    """Standard deviation of log(measured / predicted): that of the exponent."""
    floor: float = 0.02
    """Standard deviation where nothing is predicted, in log-odds."""


@dataclass(frozen=True)
class Grown:
    """One trait."""

    last: Estimate
    """The last measured shift: what no growth predicts."""
    linear: Estimate
    """What growth in proportion to the summed rate predicts."""
    full: Estimate
    """What the growth curve predicts, with all that is uncertain about it."""
    p: float
    """That the rehearsed trainings do not move the trait."""
    p_adjusted: float
    """After Holm, over the traits."""


@dataclass(frozen=True)
class Growth:
    """All traits."""

    ratio: float
    """Summed rate of the full training over that of the rehearsed one."""
    exponent: float
    traits: tuple[Grown, ...]


def growth(
    shift_K: Sequence[Floats],
    spent_T: Sequence[float],
    full: float,
    *,
    level: float = 0.95,
    extrapolation: Extrapolation = Extrapolation(),
    independent: float = math.inf,
) -> Growth:
    """Say what the full training would do to each trait.

    Args:
        shift_K: For each trait the paired differences (S, T, Q) of S seeds at T steps and Q questions; traits may have
            unequally many questions.
        spent_T: Sum of the learning rates up to each of those steps, rising.
        full: That of the whole full training.
        level: Two-sided coverage of the intervals.
        extrapolation: From a calibration; the stated one when absent.
        independent: How many of the traits vary on their own.

    Raises:
        InputError: there are fewer than two seeds, or numbers do not fit together.
    """
    level_in_range(level)
    spent = finite(spent_T, "spent_T", 1)
    tables = [_table(each, len(spent)) for each in shift_K]
    if not tables or spent[0] <= 0 or (np.diff(spent) <= 0).any() or not (math.isfinite(full) and full > 0):
        raise InputError(f"is {spent.tolist()} of {full:g}", "spent_T", "Pass traits, and sums above 0 that rise.")
    ratio = max(full / float(spent[-1]), 1.0)
    last_K = [each[:, -1] for each in tables]
    error_K = _errors(last_K, level, independent)
    mean_KT = np.array([each.mean(axis=(0, 2)) for each in tables])
    exponent = _exponent(mean_KT, spent / spent[-1], np.array([error.se for error in error_K]), independent)
    grid = _grid(extrapolation, math.log(ratio))
    adjusted_K = holm([error.p(float(mean)) for mean, error in zip(mean_KT[:, -1], error_K, strict=True)])
    seeds = len(tables[0])
    said = f"rehearsal of {seeds} seeds, shift x {ratio:.3g}^{exponent:.2g}, {percent(level)}"
    found: list[Grown] = []
    for mean, error, adjusted in zip(mean_KT[:, -1].tolist(), error_K, adjusted_K.tolist(), strict=True):
        half = error.half_width(level)
        measured = f"rehearsal of {seeds} seeds, {error.df:.3g} degrees of freedom, {percent(level)}"
        last = Estimate(mean, mean - half, mean + half, seeds, f"{measured}, no growth")
        more = [ratio * each for each in (mean, mean - half, mean + half)]
        linear = Estimate(more[0], more[1], more[2], seeds, f"{measured}, linear growth")
        factor = extrapolation.slope * ratio**exponent
        lo, hi = grid.interval(mean, error, factor, level)
        full_shift = Estimate(factor * mean, lo, hi, seeds, said)
        found.append(Grown(last, linear, full_shift, error.p(mean), adjusted))
    return Growth(ratio, exponent, tuple(found))


def _table(shift_STQ: Floats, steps: int) -> Floats:
    table = finite(shift_STQ, "shift_K", 3)
    if table.shape[1] != steps or len(table) < 2:
        raise InputError(
            f"has shape {table.shape} beside {steps} steps", "shift_K", "Pass two seeds or more, every step of each."
        )
    return table


def _errors(last_K: Sequence[Floats], level: float, independent: float) -> list[Error]:
    """Return the standard error of each trait's mean (S, Q), the wider of seeds alone and of seeds and questions."""
    seeds = len(last_K[0])
    variance_K = np.array([table.mean(axis=1).var(ddof=1) for table in last_K])
    moderated_K, df = moderated_variances(variance_K, seeds - 1.0, independent)
    found: list[Error] = []
    for table, variance in zip(last_K, moderated_K.tolist(), strict=True):
        own = Error(math.sqrt(variance / seeds), df, "seeds")
        extra = question_error(table)
        both = [own]
        if extra is not None:
            total = variance / seeds + extra.se**2
            freedom = 1 / ((variance / seeds / total) ** 2 / df + (extra.se**2 / total) ** 2 / extra.df)
            both.append(Error(math.sqrt(total), freedom, "seeds and questions"))
        found.append(max(both, key=lambda error: error.half_width(level)))
    return found


def _exponent(mean_KT: Floats, share_T: Floats, error_K: Floats, independent: float) -> float:
    """Return the exponent that fits the measured points and its prior best."""
    certain = error_K > 0
    if len(share_T) < 2 or not certain.any():
        return USUAL
    unit_KT = mean_KT[certain] / error_K[certain, None]
    curve_BT = share_T[None, :] ** _EXPONENTS[:, None]
    along_KB = unit_KT @ curve_BT.T
    left_B = (unit_KT**2).sum() - (along_KB**2 / (curve_BT**2).sum(axis=1)).sum(axis=0)
    counted = min(1.0, independent / len(unit_KT))
    penalty_B = ((_EXPONENTS - USUAL) / UNSURE) ** 2
    return float(_EXPONENTS[np.argmin(counted * left_B + penalty_B)])


@dataclass(frozen=True)
class _Grid:
    """Draws of everything that is uncertain, each with its exact quantiles, in random order beside each other."""

    place_D: Floats
    """Of the measured shift's error, as a probability."""
    growth_D: Floats
    """Times how much more or less it grows."""
    beside_D: Floats
    """Log-odds that come on top."""

    def interval(self, mean: float, error: Error, factor: float, level: float) -> tuple[float, float]:
        from scipy import special

        start_D = mean + error.se * special.stdtrit(error.df, self.place_D)
        lo, hi = np.quantile(factor * start_D * self.growth_D + self.beside_D, [0.5 - level / 2, 0.5 + level / 2])
        return float(lo), float(hi)


def _grid(extrapolation: Extrapolation, length: float) -> _Grid:
    from scipy import special

    rng = np.random.default_rng(0)
    place_D = (np.arange(_DRAWS) + 0.5) / _DRAWS
    normal_D = np.asarray(special.ndtri(place_D))
    return _Grid(
        place_D,
        np.exp(extrapolation.spread * length * rng.permutation(normal_D)),
        extrapolation.floor * length * rng.permutation(normal_D),
    )
