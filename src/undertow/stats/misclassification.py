"""Shares that an imperfect judge counted, corrected for its errors.

A judge says of every answer whether it shows a trait, and is wrong at times. Its error rates are measured on a labelled
set; the share that it counted is then corrected, and the interval takes in that all three were measured.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from undertow.errors import InputError
from undertow.stats._checks import level_in_range, percent
from undertow.stats.estimate import Estimate


class JudgeError(NamedTuple):
    """How a judge did on a labelled set."""

    hits: int
    """Answers that show the trait, and the judge says so."""
    shown: int
    """Answers that show it."""
    clear: int
    """Answers that do not show it, and the judge says so."""
    unshown: int
    """Answers that do not show it."""

    @property
    def sensitivity(self) -> float:
        """Share of those with the trait that the judge finds."""
        return self.hits / self.shown

    @property
    def specificity(self) -> float:
        """Share of those without it that the judge lets pass."""
        return self.clear / self.unshown


def corrected_share(successes: int, n: int, error: JudgeError, *, level: float = 0.95) -> Estimate:
    """Estimate the true share behind the share that a judge counted.

    Point estimate: Rogan and Gladen 1978, American Journal of Epidemiology 107(1), (p + specificity - 1) /
    (sensitivity + specificity - 1). Interval: Lang and Reiczigel 2014, Preventive Veterinary Medicine 113(1), which
    covers when all three rates were measured. Both are cut to 0 to 1.

    Args:
        successes: Answers that the judge says show the trait.
        n: Answers judged.
        error: The judge on a labelled set.
        level: Two-sided coverage.

    Raises:
        InputError: counts that are impossible, no labelled answers of either kind, or a judge no better than chance.
    """
    level_in_range(level)
    for name, part, whole in (
        ("successes", successes, n),
        ("hits", error.hits, error.shown),
        ("clear", error.clear, error.unshown),
    ):
        if whole < 1 or not 0 <= part <= whole:
            raise InputError(f"is {part} of {whole}", name, "Pass a count from 0 to at least one.")
    if error.sensitivity + error.specificity <= 1:
        raise InputError(
            f"the judge finds {error.sensitivity:.0%} of what shows the trait and lets {error.specificity:.0%} of the "
            "rest pass, which is no better than chance",
            "judge",
            "Use another judge or rubric; counts of this one say nothing.",
        )
    value = (successes / n + error.specificity - 1) / (error.sensitivity + error.specificity - 1)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    apparent = (successes + z * z / 2) / (n + z * z)
    sensitivity, specificity = (error.hits + 1) / (error.shown + 2), (error.clear + 1) / (error.unshown + 2)
    gain = sensitivity + specificity - 1
    centre = (apparent + specificity - 1) / gain
    wrong_hits = sensitivity * (1 - sensitivity) / (error.shown + 2)
    wrong_clear = specificity * (1 - specificity) / (error.unshown + 2)
    shift = 2 * z * z * (centre * wrong_hits - (1 - centre) * wrong_clear)
    variance = apparent * (1 - apparent) / (n + z * z) + (1 - centre) ** 2 * wrong_clear + centre**2 * wrong_hits
    half = z * math.sqrt(variance) / gain
    lo, hi = (min(1.0, max(0.0, end)) for end in (centre + shift - half, centre + shift + half))
    value = min(1.0, max(0.0, value))
    return Estimate(
        value, min(lo, value), max(hi, value), n, f"Rogan-Gladen, Lang-Reiczigel interval, {percent(level)}"
    )
