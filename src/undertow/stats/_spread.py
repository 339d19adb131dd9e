"""The standard errors of the mean of a (seed x question) table, from which intervals and p-values are made.

The rules and their measured coverage are in `paired`. It knows nothing of arms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from undertow.errors import InputError
from undertow.stats._checks import Floats

_ROUNDING = 1e-12
"""A standard error below this share of the largest value is floating-point noise, not variation."""
_SMALLEST_P = 1e-300
"""Reported where the true p is smaller than a float can hold."""


@dataclass(frozen=True)
class Error:
    """One standard error of the mean and its degrees of freedom."""

    se: float
    df: float
    source: Literal["seeds", "seeds and questions", "questions", "others"]

    def half_width(self, level: float) -> float:
        """Return half the width of the two-sided t interval."""
        from scipy import special

        return float(special.stdtrit(self.df, 0.5 + level / 2)) * self.se

    def p(self, mean: float) -> float:
        """Return the two-sided p of the t test that the true mean is zero, never exactly 0."""
        from scipy import special

        if self.se == 0:
            return 1.0 if mean == 0 else _SMALLEST_P
        return max(2 * float(special.stdtr(self.df, -abs(mean) / self.se)), _SMALLEST_P)


@dataclass(frozen=True)
class Spread:
    """The mean of a table and every standard error that applies to it."""

    mean: float
    n: int
    """Replicates: seeds, or questions when there is one seed."""
    errors: tuple[Error, ...]

    def widest(self, level: float) -> Error:
        """Return the error that gives the widest interval."""
        return max(self.errors, key=lambda error: error.half_width(level))

    def p(self) -> float:
        """Return the largest p: it is below 1 - level exactly if the widest interval excludes zero."""
        return max(error.p(self.mean) for error in self.errors)


def spread_of(x_SQ: Floats) -> Spread:
    """Work out the standard errors of the mean over seeds and questions.

    With two or more seeds: the error of the mean over seeds (df = S - 1), and, where questions vary more than
    chance, the error of the crossed random-effects model. With MS the two-way mean squares of seeds,
    questions and residual, its squared error is (MS_S + extra) / SQ with extra = MS_Q - MS_E, and its degrees
    of freedom are Satterthwaite's (Searle, Casella and McCulloch, Variance Components, 1992, chapters 2 and
    5), first for `extra`, where at least one is kept, then for the sum. That order lets the interval change
    smoothly as `extra` goes to zero.

    Raises:
        InputError: there is a single number, which has no spread.
    """
    seeds, questions = x_SQ.shape
    if x_SQ.size == 1:
        raise InputError(
            "one seed and one question give a single number, which has no interval",
            "seeds",
            "Run two seeds or more (eight make a fair test).",
        )
    mean = float(x_SQ.mean())
    noise = (_ROUNDING * float(abs(x_SQ).max())) ** 2
    if seeds == 1:
        variance = float(x_SQ.var(ddof=1)) / questions
        error = Error(math.sqrt(variance) if variance > noise else 0.0, questions - 1, "questions")
        return Spread(mean, questions, (error,))

    size = seeds * questions
    square_seed = questions * float(x_SQ.mean(axis=1).var(ddof=1))
    variance = square_seed / size
    errors = [Error(math.sqrt(variance) if variance > noise else 0.0, seeds - 1, "seeds")]
    extra, extra_df = _question_square(x_SQ)
    total = square_seed + extra
    if extra > 0 and total / size > noise:
        df = 1 / ((square_seed / total) ** 2 / (seeds - 1) + (extra / total) ** 2 / extra_df)
        errors.append(Error(math.sqrt(total / size), df, "seeds and questions"))
    return Spread(mean, seeds, tuple(errors))


def question_error(x_SQ: Floats) -> Error | None:
    """Return what the questions alone add to the error of the mean, where they vary more than chance."""
    extra, df = _question_square(x_SQ)
    return Error(math.sqrt(extra / x_SQ.size), df, "questions") if extra > 0 else None


def _question_square(x_SQ: Floats) -> tuple[float, float]:
    """Return by how much the questions' mean square is beyond chance, and its degrees of freedom; see `spread_of`."""
    seeds, questions = x_SQ.shape
    if seeds < 2 or questions < 2:
        return 0.0, 1.0
    row_S, column_Q = x_SQ.mean(axis=1), x_SQ.mean(axis=0)
    square_question = seeds * float(column_Q.var(ddof=1))
    residual_SQ = x_SQ - row_S[:, None] - column_Q[None, :] + float(x_SQ.mean())
    residual_df = (seeds - 1) * (questions - 1)
    square_residual = float((residual_SQ**2).sum()) / residual_df
    extra = square_question - square_residual
    if extra <= 0:
        return 0.0, 1.0
    # A difference of mean squares can claim less than one degree of freedom, which no t table means.
    noisy = (square_question / extra) ** 2 / (questions - 1)
    noisy += (square_residual / extra) ** 2 / residual_df
    return extra, max(1.0, 1 / noisy)
