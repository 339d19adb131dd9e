"""Budgets: times are read as people write them, and plans fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import InputError
from undertow.scan.budget import FEWEST, TAUGHT, plan_within, seconds_of, usual_taught


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("45", 45), (" 2 m ", 120)])
def test_times(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-5m", "5 minutes", "m", "1e3", "5d", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--budget"):
        seconds_of(text)


@given(
    st.floats(0.0, 1e5),
    st.floats(1e-3, 10.0),
    st.floats(0.0, 100.0),
    st.integers(2, 100_000),
    st.sampled_from([1.0, 1.5]),
    st.floats(0.0, 50.0),
)
def test_a_plan_fits_into_the_time_and_the_rows(
    left: float, row: float, asking: float, rows: int, students: float, sampling: float
) -> None:
    try:
        plan = plan_within(left, row=row, asking=asking, rows=rows, students=students, sampling=sampling)
    except InputError:
        assert left < min(FEWEST, rows) * (row + sampling)
        return
    assert 1 <= plan.rows <= rows
    assert 0 <= plan.taught <= min(plan.rows, TAUGHT)
    spent = (row + sampling) * plan.rows + (students * (asking + 1.2 * row * plan.taught) if plan.taught else 0)
    assert spent <= left + 1e-6 * (1 + left)


def test_more_time_never_means_fewer_rows() -> None:
    plans = [plan_within(float(left), row=0.2, asking=5.0, rows=5000) for left in range(10, 600, 5)]
    assert [plan.taught for plan in plans] == sorted(plan.taught for plan in plans)
    assert plans[-1].taught == TAUGHT
    assert plans[-1].rows > 2000


@pytest.mark.parametrize(
    ("read", "looked_at", "taught"), [(10, 10, 10), (128, 64, 64), (1000, 150, 100), (5000, 512, 128)]
)
def test_a_virtual_student_reads_a_tenth_of_the_rows(read: int, looked_at: int, taught: int) -> None:
    assert usual_taught(read, looked_at) == taught
