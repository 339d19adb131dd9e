"""Students by traits: how far the diagonal stands above what any student does to any trait.

Every student is asked about every trait. What training on any rows does to a trait is its column's effect, and what one
student does to all traits is its row's. The elevation is what a student's own trait has beyond both: the coefficient of
the diagonal in a model with row and column effects, by least squares.

The unit is the trained run, so that answers about many traits do not count as many runs. Rows are independent and their
noise may be of any shape. Where every trait has two teachers or more, those are the replicates, and the claim is about
these traits. Where one has a single teacher, the traits are the replicates, and a jackknife over runs is taken.

Measured coverage of the 90% interval (5,000 tables, standard error 0.4 points), and size of the permutation test at 10%
without an effect (1,000 tables, standard error 0.9). Standard deviations are 0.3 for row effects, 0.5 for columns, 0.1
for the noise. It correlates by 0.5 between two traits. "Differing": the traits' own elevations vary with 0.3, the
teachers' with 0.1.

    traits  teachers each  controls    coverage  differing    size
    3       1              0           .949      .894         .001
    7       1              0           .921      .908         .099
    3       3              0           .927      .924         .124
    3       3              3           .923      .919         .110
    7       2              0           .946      .947         .110
    7       3              0           .912      .911         .093
    7       3              3           .913      .914         .120

With three single teachers a p below 1/6 cannot be had.

The slow test in `tests/stats/test_confusion.py` measures this again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import InputError
from undertow.stats._checks import Floats, finite, level_in_range, percent
from undertow.stats._spread import Error
from undertow.stats.estimate import Estimate
from undertow.stats.permutation import drawn_p
from undertow.stats.times import Replicates

NONE = -1
"""The own trait of a run that carries none, such as a control's."""
_ROUNDING = 1e-9


def elevation(shift_RT: ArrayLike, own_R: Sequence[int]) -> float | None:
    """Return how far the diagonal stands above row and column effects, by least squares.

    Args:
        shift_RT: Shifts beyond a control, one row a trained run, one column a trait.
        own_R: The column of each run's own trait; `NONE` where it carries none.

    Returns:
        None where the table is too small to tell the diagonal from the two effects.

    Raises:
        InputError: values are not finite, or a run's own trait is no column.
    """
    shift, own = _checked(shift_RT, own_R)
    weight_RT = _weights(shift.shape, own)
    return None if weight_RT is None else float((weight_RT * shift).sum())


def elevation_estimate(
    shift_RT: ArrayLike, own_R: Sequence[int], *, level: float = 0.95, replicates: Replicates = "teachers"
) -> Estimate:
    """Estimate the elevation, with an interval; the head of this module says what it holds.

    Args:
        shift_RT: As for `elevation`.
        own_R: Likewise.
        level: Two-sided coverage.
        replicates: What the rows are; `seeds` are those of one teacher for each trait.

    Raises:
        InputError: as for `elevation`, or the table is too small for an estimate or its interval.
    """
    shift, own = _checked(shift_RT, own_R)
    level_in_range(level)
    weight_RT = _weights(shift.shape, own)
    if weight_RT is None:
        raise InputError(
            f"{len(shift)} runs by {shift.shape[1]} traits cannot tell the diagonal from rows and columns",
            "shift_RT",
            "Train students for three traits or more.",
        )
    part_R = (weight_RT * shift).sum(axis=1)
    runs, traits = int((own != NONE).sum()), len(set(own.tolist()) - {NONE})
    # Runs of one trait have the same weights, so that their parts differ by noise alone.
    alike = [part_R[own == trait] for trait in np.unique(own) if np.abs(weight_RT[own == trait]).max() > _ROUNDING]
    if all(len(each) > 1 for each in alike):
        error = _of_teachers(alike)
        one = "s" if traits != 1 else ""
        method = f"t interval over {runs} {replicates} of {traits} trait{one}"
    else:
        error = _of_traits(shift, own, runs)
        method = f"jackknife over {runs} runs, some traits with one teacher"
    value, half = float(part_R.sum()), error.half_width(level)
    return Estimate(value, value - half, value + half, runs, f"{method}, {percent(level)}")


def elevation_p(
    shift_RT: ArrayLike, own_R: Sequence[int], *, rng: np.random.Generator, resamples: int = 10_000
) -> float:
    """Return the two-sided p of the elevation where each run is given some other run's trait for its own.

    Without an effect on a run's own trait it does not matter which trait is called its own. Runs that carry none stay
    as they are.

    Args:
        shift_RT: As for `elevation`.
        own_R: Likewise.
        rng: Draws the permutations.
        resamples: How many; what was seen counts among them, so that p is never 0.

    Raises:
        InputError: as for `elevation_estimate`, or `resamples` is below 1.
    """
    shift, own = _checked(shift_RT, own_R)
    if resamples < 1:
        raise InputError(f"is {resamples}", "resamples", "Draw at least one; 10,000 give p to two digits.")
    carrying = np.flatnonzero(own != NONE)
    if len(set(own[carrying].tolist())) < 2:
        raise InputError("all runs carry one trait", "own_R", "Train students for two traits or more.")
    # The sum of squares of the centred diagonal is the same for every permutation: sums rank as elevations do.
    centred_CT = _centred(shift)[carrying]
    own_BC = rng.permuted(np.tile(own[carrying], (resamples, 1)), axis=1)
    null_B = centred_CT[np.arange(len(carrying)), own_BC].sum(axis=1)
    seen = centred_CT[np.arange(len(carrying)), own[carrying]].sum()
    return float(drawn_p(np.abs(null_B), abs(seen)))


def _checked(shift_RT: ArrayLike, own_R: Sequence[int]) -> tuple[Floats, NDArray[np.int64]]:
    shift, own = finite(shift_RT, "shift_RT", 2), np.asarray(own_R, dtype=np.int64)
    if own.shape != shift.shape[:1] or (len(own) and not (own.min() >= NONE and own.max() < shift.shape[1])):
        raise InputError(
            "does not name a column for every run",
            "own_R",
            f"Pass {len(shift)} numbers of columns, or {NONE} for none.",
        )
    return shift, own


def _centred(x_RT: Floats) -> Floats:
    """Return a table without its row and column effects."""
    return x_RT - x_RT.mean(axis=0) - x_RT.mean(axis=1, keepdims=True) + x_RT.mean()


def _weights(shape: tuple[int, ...], own_R: NDArray[np.int64]) -> Floats | None:
    """Return what each cell of a table counts in the least-squares elevation; None where there is none."""
    own_RT = (np.arange(shape[1]) == own_R[:, None]).astype(float)
    centred_RT = _centred(own_RT)
    size = float((centred_RT**2).sum())
    return centred_RT / size if size > _ROUNDING else None


def _of_teachers(alike: Sequence[Floats]) -> Error:
    """Return the error of a sum of independent parts in groups of equal means, with Satterthwaite's freedom."""
    variances = [len(part_R) * float(part_R.var(ddof=1)) for part_R in alike]
    total = sum(variances)
    freedom = [variance**2 / (len(part_R) - 1) for variance, part_R in zip(variances, alike, strict=True)]
    df = total**2 / sum(freedom) if total > 0 else float(sum(len(each) - 1 for each in alike))
    return Error(math.sqrt(total), df, "seeds")


def _of_traits(shift: Floats, own: NDArray[np.int64], runs: int) -> Error:
    """Return the error by leaving out one run at a time (Efron and Stein 1981, Annals of Statistics 9(3))."""
    without: list[float] = []
    for run in range(len(shift)):
        rest, own_rest = np.delete(shift, run, axis=0), np.delete(own, run)
        weight_RT = _weights(rest.shape, own_rest) if len(rest) else None
        if weight_RT is None:
            raise InputError(
                f"{len(shift)} runs by {shift.shape[1]} traits have no spread",
                "shift_RT",
                "Train students for one trait more, or of one teacher more.",
            )
        without.append(float((weight_RT * rest).sum()))
    count = len(without)
    se = math.sqrt((count - 1) / count * sum((each - sum(without) / count) ** 2 for each in without))
    return Error(se, max(runs - 1, 1), "seeds")
