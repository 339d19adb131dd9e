"""How far two arms lie apart, or one arm from its base: the mean with its t interval.

What is estimated: the mean over seeds (training runs) and over questions. Both readings of it are kept
honest: the questions as a fixed list, where only seeds vary, and the questions as a sample of those that
could have been asked. Each has its own standard error (`_spread`), and the interval is the wider of the two t
intervals:

- Seeds: t with S - 1 degrees of freedom on the seeds' means.
- Seeds x questions: the crossed random-effects error with Satterthwaite's degrees of freedom. It is used where
  questions vary more than the residual does.

So it never claims more than the classical t interval over seeds, whatever the questions do, and a few odd
questions cannot carry it.

The table holds the measured coverage of the 95% interval for the mean over the population of questions. Each
cell is from 10,000 simulated tables (standard error 0.2 points). The settings are named by the standard
deviations of seed effects, question effects and residual, which are added to one arm. They are 1, 0.1, 0.3 for
"seeds"; 0.05, 1, 0.3 for "questions"; and 0.3, 1, 0.5 for "both". In "null" both arms vary with 0.5, 0, 0.3.
Skewed noise is the centred exponential.

                       normal noise              skewed noise
                       S=2   3     5     8       S=2   3     5     8
    null, Q = 1        .950  .952  .946  .946    .957  .960  .958  .957
    null, Q = 10       .956  .952  .949  .951    .967  .966  .964  .961
    null, Q = 50       .949  .952  .950  .948    .962  .969  .966  .955
    seeds, Q = 1       .951  .949  .949  .945    .925  .907  .894  .900
    seeds, Q = 10      .951  .953  .955  .949    .917  .889  .884  .897
    seeds, Q = 50      .952  .951  .947  .947    .910  .878  .878  .897
    questions, Q = 10  .971  .949  .951  .948    .955  .910  .901  .897
    questions, Q = 50  .975  .954  .945  .950    .969  .937  .936  .932
    both, Q = 10       .985  .965  .953  .955    .973  .945  .922  .919
    both, Q = 50       .967  .953  .945  .947    .956  .931  .932  .940

- Normal noise: nominal or better. With a fixed list of questions it covers at least as often.
- Neither interval is enough alone. With ten questions and normal noise, seeds alone cover .79, .51, .30, .21
  under "questions" (S = 2, 3, 5, 8). The crossed one alone covers .91 under "both" with S = 2, Q = 50.

- Skewed seed effects in one arm cost up to seven points, as they do in every t interval over few replicates.
  Two arms with the same noise differ symmetrically, so a null costs nothing.
- Two questions that dominate all else are too few to show it: .86 to .92 (S = 3 to 8). From three on it is
  above .93.

The slow tests in `tests/stats/test_stats_coverage.py` measure this again.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from undertow.stats._checks import Floats, finite, level_in_range, percent, same_shape
from undertow.stats._spread import Error, spread_of
from undertow.stats.estimate import Estimate

ONE_SEED = "questions of one seed"
"""Stands in the `method` of every estimate whose replicates are questions, because there was one seed."""


def paired_difference(a_SQ: ArrayLike, b_SQ: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate the mean of a - b over the same seeds and questions.

    The interval is described, with its measured coverage, at the head of this module. With one seed the
    questions are the replicates: the interval then speaks of that training run alone, and `method` says so.
    Arms without any variation between replicates get an interval of width zero.

    Args:
        a_SQ: One score per seed and question.
        b_SQ: The other arm, same seeds and questions in the same order.
        level: Two-sided coverage.

    Raises:
        InputError: shapes differ, values are not finite, or there is only one number per arm.
    """
    a, b = finite(a_SQ, "a_SQ", 2), finite(b_SQ, "b_SQ", 2)
    same_shape(a, b, "a_SQ, b_SQ")
    return mean_estimate(a - b, level=level)


def mean_estimate(x_SQ: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Estimate the mean of one table over seeds and questions, such as student minus base.

    Args:
        x_SQ: One number per seed and question.
        level: Two-sided coverage.

    Raises:
        InputError: values are not finite, or there is only one.
    """
    x = finite(x_SQ, "x_SQ", 2)
    level_in_range(level)
    spread = spread_of(x)
    error = spread.widest(level)
    half = error.half_width(level)
    return Estimate(spread.mean, spread.mean - half, spread.mean + half, spread.n, _method(x, error, level))


def _method(x_SQ: Floats, error: Error, level: float) -> str:
    seeds, questions = x_SQ.shape
    if error.source == "questions":
        return f"t interval over {questions} {ONE_SEED}, {percent(level)}"
    if error.se == 0:
        return f"no variation between {seeds} seeds"
    if error.source == "seeds":
        return f"t interval over {seeds} seeds, {percent(level)}"
    return f"t interval over {seeds} seeds x {questions} questions, {percent(level)}"
