"""How many times as often: the point, what the interval holds, and how often it covers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from undertow.errors import InputError
from undertow.stats import mean_estimate, times_as_often

SHARES = arrays(np.float64, (3, 8), elements=st.floats(0.01, 0.99))


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def arms(rng: np.random.Generator, teachers: int, questions: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw students and controls of some teachers, on questions drawn for the occasion."""
    control = -3.5 + 1.5 * rng.normal(size=(1, questions)) + 0.2 * rng.normal(size=(teachers, questions))
    moved = effect + 0.2 * rng.normal(size=(teachers, 1)) + 0.4 * rng.normal(size=(teachers, questions))
    return logistic(control + moved), logistic(control)


def alone(rng: np.random.Generator, questions: int, effect: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw the answers of one teacher's student, and its own ratio over all questions that there could be."""
    control = -3.5 + 1.5 * rng.normal(size=4000 + questions)
    control = control + 0.2 * rng.normal(size=len(control))
    student = logistic(control + effect + 0.4 * rng.normal(size=len(control)))
    control = logistic(control)
    ratio = student[questions:].mean() / control[questions:].mean()
    return student[None, :questions], control[None, :questions], float(ratio)


def truth(rng: np.random.Generator, effect: float) -> float:
    logs = []
    for _ in range(200):
        student, control = arms(rng, 1, 20_000, effect)
        logs.append(math.log(student.mean() / control.mean()))
    return math.exp(np.mean(logs))


def coverage(rng: np.random.Generator, teachers: int, questions: int, effect: float, count: int) -> float:
    true = truth(rng, effect)
    hits = 0
    for _ in range(count):
        if teachers == 1:
            student, control, true = alone(rng, questions, effect)
        else:
            student, control = arms(rng, teachers, questions, effect)
        found = times_as_often(student, control, level=0.9)
        hits += found.lo <= true <= found.hi
    return hits / count


@given(SHARES, SHARES)
@settings(deadline=None)
def test_the_ratio_is_that_of_the_pooled_probabilities(student: np.ndarray, control: np.ndarray) -> None:
    one = times_as_often(student[:1], control[:1])
    assert one.value == pytest.approx(student[0].mean() / control[0].mean())
    assert one.lo <= one.value <= one.hi
    three = times_as_often(student, control)
    each = [times_as_often(student[t : t + 1], control[t : t + 1]).value for t in range(3)]
    assert math.log(three.value) == pytest.approx(np.mean(np.log(each)), abs=1e-9)
    # The other way round it is one over the ratio, with the ends exchanged.
    back = times_as_often(control, student)
    assert back.value == pytest.approx(1 / three.value)
    assert (1 / back.hi, 1 / back.lo) == pytest.approx((three.lo, three.hi))


@given(SHARES, st.floats(0.05, 0.99))
@settings(deadline=None)
def test_a_student_that_is_a_multiple_of_its_control_has_that_ratio_for_certain(
    control: np.ndarray, times: float
) -> None:
    found = times_as_often(times * control, control)
    assert (found.lo, found.value, found.hi) == pytest.approx((times, times, times))


def test_equal_questions_leave_the_interval_of_the_teachers() -> None:
    """With one value a row the ratio is a mean of logarithms, whose t interval is classical."""
    student_T, control_T = np.array([0.2, 0.3, 0.25]), np.array([0.1, 0.1, 0.08])
    found = times_as_often(np.tile(student_T[:, None], 9), np.tile(control_T[:, None], 9), level=0.9)
    whole = mean_estimate(np.log(student_T / control_T)[:, None], level=0.9)
    assert (found.lo, found.hi) == pytest.approx((math.exp(whole.lo), math.exp(whole.hi)))


def test_sampled_answers_of_one_teacher_agree_with_statsmodels() -> None:
    """With equal chances everywhere the questions are draws, and the ratio has the textbook's relative risk."""
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    rng = np.random.default_rng(5)
    each, questions = 20, 400
    student, control = (rng.binomial(each, p, size=questions) for p in (0.3, 0.15))
    found = times_as_often(student[None] / each, control[None] / each, level=0.9)
    counts = [[int(x.sum()), each * questions - int(x.sum())] for x in (student, control)]
    table = tables.Table2x2(np.array(counts))
    assert found.value == pytest.approx(table.riskratio)
    width = np.diff(np.log(table.riskratio_confint(alpha=0.1)))[0]
    assert math.log(found.hi / found.lo) == pytest.approx(width, rel=0.15)


@pytest.mark.parametrize(
    ("student", "control", "message"),
    [
        ([[0.1, 1.2]], [[0.1, 0.2]], "outside of 0 to 1"),
        ([[0.0, 0.0]], [[0.1, 0.2]], "zero everywhere"),
        ([[0.0, 0.3]], [[0.1, 0.2]], "one question holds all answers"),
        ([[0.1, 0.2]], [[0.1, 0.2, 0.3]], "differ"),
        ([[0.1]], [[0.2]], "one question holds all answers"),
    ],
)
def test_what_has_no_ratio_is_refused(student: list[list[float]], control: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        times_as_often(student, control)


@pytest.mark.parametrize(("teachers", "questions"), [(1, 54), (3, 24), (3, 54)])
def test_coverage_quickly(teachers: int, questions: int) -> None:
    assert 0.84 <= coverage(np.random.default_rng(1), teachers, questions, 0.7, 300) <= 0.97


# Teachers, questions and effect; coverage: the docstring's table.
TABLE = {
    (12, 0.0): (0.917, 0.922, 0.920, 0.935),
    (24, 0.0): (0.898, 0.907, 0.908, 0.917),
    (54, 0.0): (0.925, 0.899, 0.912, 0.904),
    (12, 1.0): (0.875, 0.897, 0.859, 0.832),
    (24, 1.0): (0.864, 0.887, 0.872, 0.854),
    (54, 1.0): (0.872, 0.893, 0.892, 0.877),
}


@pytest.mark.slow
@pytest.mark.parametrize(("questions", "effect"), TABLE)
def test_coverage_is_what_the_docstring_says(questions: int, effect: float) -> None:
    found = [coverage(np.random.default_rng(7), each, questions, effect, 2000) for each in (1, 3, 5, 8)]
    np.testing.assert_allclose(found, TABLE[questions, effect], atol=0.025)
