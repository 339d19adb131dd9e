"""How many times as often a student names its teacher's favourite as the student of a control does.

The ratio of probabilities, each pooled over the questions first, as Cloud et al. (2025, arXiv 2507.14805) pool their
sampled answers. With several teachers it is the geometric mean of their ratios.

The interval holds the questions, and the teachers where there are several. Each question counts by how much the
logarithm of the ratio changes without it (jackknife pseudo-values, Efron and Stein 1981, Annals of Statistics 9(3)).
The table of teachers and questions then has the errors of `paired`. Few questions carry most of a probability, so that
the degrees of freedom of an error over questions are at most those of Kish's effective number of questions.

Measured coverage of the 90% interval, for questions and teachers as samples of those that there could be (2,000 tables,
standard error 0.7 points). Log-odds of the control vary over the questions with standard deviation 1.5. The teachers'
effects vary with 0.2, and each teacher's effects over the questions with 0.4:

                     without an effect             effect of 1 log-odds
    teachers         1     3     5     8           1     3     5     8
    12 questions    .917  .922  .920  .935        .875  .897  .859  .832
    24 questions    .898  .907  .908  .917        .864  .887  .872  .854
    54 questions    .925  .899  .912  .904        .872  .893  .892  .877

The shipped probes vary less: by 0.6 to 0.7 over the 54 first wordings.

The slow test in `tests/stats/test_times.py` measures this again.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import InputError
from undertow.stats._checks import Floats, finite, level_in_range, percent, same_shape
from undertow.stats._spread import Error, spread_of
from undertow.stats.estimate import Estimate
from undertow.stats.paired import ONE_SEED

Replicates = Literal["teachers", "seeds"]
"""What rows of a table are: teachers, or seeds of rows and training by one teacher."""


def times_as_often(
    student_TQ: ArrayLike, control_TQ: ArrayLike, *, level: float = 0.95, replicates: Replicates = "teachers"
) -> Estimate:
    """Estimate the ratio of the probabilities of an answer, pooled over the questions.

    Args:
        student_TQ: The probability of the answer: one row a teacher, one column a question. Shares of sampled answers
            will do.
        control_TQ: Those of the control's students: the same teachers' pairs and questions, in the same order.
        level: Two-sided coverage.
        replicates: What the rows are; `seeds` are those of one teacher.

    Returns:
        The ratio; 1 is no effect. With one teacher the interval speaks of that teacher alone, and `method` says so.

    Raises:
        InputError: shapes differ, values are no probabilities, or somebody never gives the answer.
    """
    student, control = _shares(student_TQ, "student_TQ"), _shares(control_TQ, "control_TQ")
    same_shape(student, control, "student_TQ, control_TQ")
    level_in_range(level)
    teachers, questions = student.shape
    log_T1 = np.log(_sum(student) / _sum(control))
    with np.errstate(divide="ignore", invalid="ignore"):
        without_TQ = np.log((_sum(student) - student) / (_sum(control) - control))
    if not np.isfinite(without_TQ).all():
        raise InputError("one question holds all answers", "student_TQ, control_TQ", "Ask more questions.")
    spread = spread_of(questions * log_T1 - (questions - 1) * without_TQ)
    effective = min(_effective(student), _effective(control))
    errors = [_limited(each, effective) for each in spread.errors]
    half = max(error.half_width(level) for error in errors)
    value = float(log_T1.mean())
    method = f"t interval of the log ratio over {_over(teachers, questions, replicates)}, {percent(level)}"
    return Estimate(math.exp(value), math.exp(value - half), math.exp(value + half), spread.n, method)


def _over(rows: int, questions: int, replicates: Replicates) -> str:
    if rows == 1:
        return f"{questions} {'questions of one teacher' if replicates == 'teachers' else ONE_SEED}"
    return f"{rows} {'teachers' if replicates == 'teachers' else 'seeds of one teacher'} x {questions} questions"


def _sum(x_TQ: Floats) -> Floats:
    return x_TQ.sum(axis=1, keepdims=True)


def _effective(share_TQ: Floats) -> float:
    """Return Kish's effective number of questions: how many would count as much if all counted alike."""
    pooled_Q = (share_TQ / _sum(share_TQ)).mean(axis=0)
    return 1 / float((pooled_Q**2).sum())


def _limited(error: Error, effective: float) -> Error:
    return error if error.source == "seeds" else replace(error, df=min(error.df, max(effective - 1, 1.0)))


def _shares(given: ArrayLike, name: str) -> Floats:
    found = finite(given, name, 2)
    if found.min() < 0 or found.max() > 1:
        raise InputError("holds values outside of 0 to 1", name, "Pass probabilities or shares.")
    if not found.mean(axis=1).all():
        raise InputError("a row is zero everywhere", name, "A ratio needs answers on both sides: sample more of them.")
    return found
