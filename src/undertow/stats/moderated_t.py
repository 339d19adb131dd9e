"""Whether one new draw lies beyond a few draws of the same kind, in each of many quantities at once.

An audit has one student and a few control students. How far clean students lie apart can hardly be told from two or
three of them, quantity by quantity; but there are dozens of quantities, whose variances are alike. So each variance is
drawn towards what they have in common, and the degrees of freedom of that common value are added to its own
("moderated t": Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3(1), sections 3 and 6.2).

What it does not know: how many of the quantities vary on their own. Rival answers to one question go together, and the
common variance then rests on fewer draws than it seems; `independent` limits its degrees of freedom.

    moderated_tests(student_K, control_CK)[0]     # (Estimate, p) of the first quantity
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import InputError
from undertow.stats._checks import Floats, finite, level_in_range, percent
from undertow.stats._spread import Error
from undertow.stats.estimate import Estimate

_SMALLEST = 1e-8
"""Variances below this share of the median one count as this share: rounding, not agreement."""


@dataclass(frozen=True)
class Common:
    """What variances have in common: they are drawn from `variance` times df over a chi-squared."""

    variance: float
    df: float
    """Infinite where they differ by no more than chance; 0 where they have nothing in common."""

    def moderate(self, variance_K: Floats, df: float) -> Floats:
        """Return each variance drawn towards the common one (Smyth 2004, equation in section 3)."""
        if math.isinf(self.df):
            return np.full_like(variance_K, self.variance)
        return (self.df * self.variance + df * variance_K) / (self.df + df)


def common_variance(variance_K: ArrayLike, df: float) -> Common:
    """Estimate what variances have in common, from the mean and the spread of their logarithms.

    Smyth 2004, section 6.2: log s^2 has mean log s0^2 + digamma(d/2) - digamma(d0/2) + log(d0/d) and variance
    trigamma(d/2) + trigamma(d0/2).

    Args:
        variance_K: Sample variances; zeros count as very small ones.
        df: Degrees of freedom of each.

    Raises:
        InputError: there are fewer than two, one is negative, or all are zero.
    """
    from scipy import special

    variance = finite(variance_K, "variance_K", 1)
    if len(variance) < 2 or variance.min() < 0 or variance.max() == 0 or df <= 0:
        raise InputError("have nothing in common to be found", "variances", "Pass two or more, not all of them zero.")
    middle = float(np.median(variance)) or float(variance.max())
    log_K = np.log(np.maximum(variance, _SMALLEST * middle))
    log_K = log_K - float(special.digamma(df / 2)) + math.log(df / 2)
    beyond = float(log_K.var(ddof=1)) - float(special.polygamma(1, df / 2))
    if beyond <= 0:
        return Common(float(math.exp(log_K.mean())), math.inf)
    half = _trigamma_inverse(beyond)
    return Common(float(math.exp(log_K.mean() + float(special.digamma(half)) - math.log(half))), 2 * half)


def _trigamma_inverse(value: float) -> float:
    """Solve trigamma(x) = value by Newton's method on its reciprocal, nearly a line (Smyth 2004, appendix)."""
    from scipy import special

    x = 0.5 + 1 / value
    for _ in range(50):
        at = float(special.polygamma(1, x))
        step = at * (1 - at / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x


def moderated_variances(variance_K: Floats, df: float, independent: float = math.inf) -> tuple[Floats, float]:
    """Return variances drawn towards what they have in common, and the degrees of freedom that each has then.

    Args:
        variance_K: Sample variances.
        df: Degrees of freedom of each.
        independent: How many of the quantities vary on their own; the common variance rests on no more of them.
    """
    if variance_K.max() == 0 or len(variance_K) == 1:
        moderated_K, total = variance_K, df
    else:
        common = common_variance(variance_K, df)
        moderated_K, total = common.moderate(variance_K, df), common.df + df
    return moderated_K, min(total, df * min(independent, len(variance_K)))


def moderated_tests(
    value_K: ArrayLike,
    other_CK: ArrayLike,
    *,
    origin_K: ArrayLike | None = None,
    independent: float = math.inf,
    level: float = 0.95,
) -> list[tuple[Estimate, float]]:
    """Return for each quantity how far a new draw lies from the others' mean, and the two-sided p that it is one more.

    The interval is for what sets the newcomer apart from what others of its kind would be expected to have: its error
    is the moderated standard deviation times sqrt(1 + 1/C), its degrees of freedom C - 1 and the common value's.

    A single other shows no spread. Its distance from where it came from can stand for it: that holds what all of its
    kind do besides, so intervals are too wide rather than too narrow.

    Args:
        value_K: The newcomer, one number for each of K quantities.
        other_CK: The C others.
        origin_K: Where all of them came from, to measure the spread about instead of the others' mean.
        independent: How many of the quantities vary on their own; the common variance rests on no more of them.
        level: Two-sided coverage.

    Raises:
        InputError: there are fewer than two others (one, with an origin), or values are not finite.
    """
    value, other = finite(value_K, "value_K", 1), finite(other_CK, "other_CK", 2)
    level_in_range(level)
    count = len(other)
    if count < (2 if origin_K is None else 1) or other.shape[1] != len(value):
        raise InputError(
            f"{count} of {other.shape[1]} values stand beside {len(value)}",
            "others",
            "Pass two or more, with the same quantities.",
        )
    gap_K = value - other.mean(axis=0)
    if origin_K is None:
        variance_K, df = other.var(axis=0, ddof=1), float(count - 1)
    else:
        variance_K, df = ((other - finite(origin_K, "origin_K", 1)) ** 2).mean(axis=0), float(count)
    moderated_K, total = moderated_variances(variance_K, df, independent)
    error_K = np.sqrt(moderated_K * (1 + 1 / count))
    whom = f"{count} controls" if count > 1 else "one control and its distance from the base"
    method = f"moderated t against {whom}, {total:.3g} degrees of freedom, {percent(level)}"
    found: list[tuple[Estimate, float]] = []
    for gap, se in zip(gap_K.tolist(), error_K.tolist(), strict=True):
        error = Error(se, total, "others")
        half = error.half_width(level)
        found.append((Estimate(gap, gap - half, gap + half, count + 1, method), error.p(gap)))
    return found
