"""Shares: how many of n sampled answers named the target."""

from __future__ import annotations

import math
from statistics import NormalDist

from undertow.errors import InputError
from undertow.stats._checks import level_in_range, percent
from undertow.stats.estimate import Estimate


def proportion(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Estimate a share with Wilson's score interval, which stays inside 0 to 1 and works at 0 and n.

    Wilson 1927, Journal of the American Statistical Association 22(158). It takes the n trials as
    independent.

    Args:
        successes: How many of the trials.
        n: Trials.
        level: Two-sided coverage.

    Raises:
        InputError: there are no trials, or `successes` is not from 0 to n.
    """
    level_in_range(level)
    if n < 1:
        raise InputError(f"is {n}", "n", "A share needs at least one trial.")
    if not 0 <= successes <= n:
        raise InputError(f"is {successes} of {n}", "successes", "Pass a count from 0 to n.")
    z2 = NormalDist().inv_cdf(0.5 + level / 2) ** 2
    share = successes / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At 0 and n the ends are exactly 0 and 1; the formula gives them up to rounding.
    lo = 0.0 if successes == 0 else max(0.0, centre - half)
    hi = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(share, lo, hi, n, f"Wilson interval, {percent(level)}")
