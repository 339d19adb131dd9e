"""What a design can see: the power of the paired t test over seeds, before anything is trained.

The test takes S differences between paired seeds, normal with standard deviation `sd_seed`. Under a true effect
its statistic is noncentral t with S - 1 degrees of freedom. The noncentrality is effect x sqrt(S) / sd_seed
(Cohen, Statistical Power Analysis, 1988, chapter 2). Large variation between questions is added
to it: see `paired`.
"""

from __future__ import annotations

import math

from undertow.errors import InputError
from undertow.stats._checks import level_in_range
from undertow.stats._solve import crossing


def smallest_effect(sd_seed: float, seeds: int, *, power: float = 0.8, level: float = 0.95) -> float:
    """Return the smallest true effect that this many seeds detect with this power, in the unit of `sd_seed`.

    Args:
        sd_seed: Standard deviation, over seeds, of the paired difference (mean over questions).
        seeds: Paired seeds.
        power: Chance of an interval that excludes zero; above 1 - level.
        level: Of the two-sided interval.

    Raises:
        InputError: fewer than two seeds, a negative deviation, or a power that no effect or any effect has.
    """
    _check(sd_seed, seeds, level)
    if not 1 - level < power < 1:
        raise InputError(f"is {power!r}", "power", f"Pass a number between {1 - level:g} and 1, such as 0.8.")
    above = 1.0
    while _power(above, seeds, level) < power:
        above *= 2
    shift = crossing(lambda shift: _power(shift, seeds, level) - power, 0.0, above)
    return shift * sd_seed / math.sqrt(seeds)


def power_of(effect: float, sd_seed: float, seeds: int, *, level: float = 0.95) -> float:
    """Return the chance that the two-sided interval over the seeds excludes zero when this effect is true.

    Args:
        effect: The true mean difference.
        sd_seed: Standard deviation, over seeds, of the paired difference.
        seeds: Paired seeds.
        level: Of the two-sided interval.

    Raises:
        InputError: fewer than two seeds, or a negative deviation.
    """
    _check(sd_seed, seeds, level)
    if not math.isfinite(effect):
        raise InputError(f"is {effect!r}", "effect", "Pass a finite number.")
    if effect == 0:
        return 1 - level
    if sd_seed == 0:
        return 1.0
    return _power(abs(effect) * math.sqrt(seeds) / sd_seed, seeds, level)


def _power(noncentrality: float, seeds: int, level: float) -> float:
    from scipy import special

    if not math.isfinite(noncentrality):
        return 1.0
    df = seeds - 1
    critical = float(special.stdtrit(df, 0.5 + level / 2))
    below = float(special.nctdtr(df, noncentrality, critical))
    far_side = float(special.nctdtr(df, noncentrality, -critical))
    # scipy returns nan where a tail is too small to represent.
    power = 1 - (0.0 if math.isnan(below) else below) + (0.0 if math.isnan(far_side) else far_side)
    return min(max(power, 0.0), 1.0)


def _check(sd_seed: float, seeds: int, level: float) -> None:
    level_in_range(level)
    if seeds < 2:
        raise InputError(f"is {seeds}", "seeds", "The spread between seeds needs at least two.")
    if not (math.isfinite(sd_seed) and sd_seed >= 0):
        raise InputError(f"is {sd_seed!r}", "sd_seed", "Pass a standard deviation of 0 or more.")
