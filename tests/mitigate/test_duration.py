"""The time that a comparison is said to take."""

from __future__ import annotations

import pytest

from undertow.mitigate.duration import expected_seconds


def test_a_student_that_was_held_up_does_not_count() -> None:
    timing = {"rows-trait-s1": 900.0, "student-trait-s1": 28.0, "student-control-s1": 160.0, "student-trait-s2": 30.0}
    assert expected_seconds(timing, 4) == pytest.approx(180.0)
    assert expected_seconds(timing, 0) == 0


def test_without_the_runs_own_times_nothing_is_said() -> None:
    assert expected_seconds({}, 4) is None
    assert expected_seconds({"base": 5.0, "student-other-s1": 9.0}, 4) is None
