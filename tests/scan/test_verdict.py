"""The verdict of a scan: evidence that a trait is pulled, and a size that matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution.prediction import Shift
from undertow.scan.verdict import NO_NULL, judge, provenance_of
from undertow.stats import Estimate


def shift(trait: str, value: float, half: float, p: float) -> Shift:
    return Shift(trait, Estimate(value, value - half, value + half, 20, "t"), 0.0, p, p)


QUIET = shift("animals:cat", 0.0, 0.05, 0.8)


@pytest.mark.parametrize(
    ("first", "status", "said"),
    [
        (shift("animals:owl", 0.3, 0.1, 0.001), "fail", "animals:owl"),
        (shift("animals:owl", -0.3, 0.5, 0.001), "inconclusive", "no interval lies beyond 0.1"),  # unsure how far
        (shift("animals:owl", 0.3, 0.25, 0.001), "inconclusive", "no interval lies beyond 0.1"),  # not beyond
        (shift("animals:owl", 0.01, 0.02, 0.001), "pass", "within 0.1"),  # sure, and too small to matter
        (shift("animals:owl", 0.3, 0.4, 0.2), "inconclusive", "cannot be ruled out"),
        (shift("animals:owl", 0.01, 0.05, 0.4), "pass", "within 0.1"),
    ],
)
def test_what_is_said(first: Shift, status: str, said: str) -> None:
    found = judge([first, QUIET], 0.1, 0.95, other_family=False)
    assert found.status == status
    assert said in found.because


def test_strangers_rows_never_pass() -> None:
    quiet = [QUIET, QUIET]
    assert judge(quiet, 0.1, 0.95, other_family=False).status == "pass"
    assert judge(quiet, 0.1, 0.95, other_family=True).status == "inconclusive"


def test_all_that_move_are_counted() -> None:
    owl, oak = shift("animals:owl", 0.3, 0.1, 0.001), shift("trees:oak", 0.3, 0.1, 0.01)
    said = judge([owl, oak, QUIET], 0.1, 0.95, other_family=False).because
    assert said.endswith("1 more of 3 traits shift too.")
    far = shift("foods:waffle", -0.5, 0.3, 0.02)
    said = judge([owl, oak, far, QUIET], 0.1, 0.95, other_family=False).because
    assert said.endswith("2 more of 4 traits shift too, foods:waffle most (-0.50).")


def test_something_unnamed_is_an_alarm_and_never_a_pass() -> None:
    found = judge([QUIET, QUIET], 0.1, 0.95, other_family=False, unnamed=" (p = 0.001)")
    assert found.status == "inconclusive"
    assert "outside the panel (p = 0.001)" in found.because
    named = judge([shift("a:b", 0.4, 0.1, 0.001), QUIET], 0.1, 0.95, other_family=False, unnamed=" (p = 0.001)")
    assert named.status == "fail"


def test_free_text_with_nothing_beside_it_fails_nobody() -> None:
    loud = [shift("animals:owl", 0.3, 0.1, 0.001), QUIET]
    assert judge(loud, 0.1, 0.95, other_family=False).status == "fail"
    bare = judge(loud, 0.1, 0.95, other_family=False, without_reference=True)
    assert bare.status == "inconclusive"
    assert "animals:owl" in bare.because
    assert "--reference" in bare.because
    unnamed = judge([QUIET, QUIET], 0.1, 0.95, other_family=False, unnamed=" (p = 0.001)", without_reference=True)
    assert "--reference" in unnamed.because
    assert judge([QUIET, QUIET], 0.1, 0.95, other_family=False, without_reference=True).status == "pass"


def test_traits_that_shift_by_too_little_are_not_called_insignificant() -> None:
    small = shift("animals:owl", 0.02, 0.03, 0.001)
    beside = judge([small, QUIET], 0.1, 0.95, other_family=False, unnamed=" (p = 0.001)").because
    assert beside.startswith("1 of 2 traits shifts, but by less than 0.1 log-odds. The rows share a direction")
    wide = shift("animals:dog", 0.3, 0.4, 0.2)
    assert "1 of 2 traits shifts" in judge([small, wide], 0.1, 0.95, other_family=False).because
    assert (
        "No trait of 2 is significant. Shifts up to 0.7" in judge([QUIET, wide], 0.1, 0.95, other_family=False).because
    )


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 2), st.floats(0, 1)), min_size=1, max_size=8), st.booleans())
def test_a_scan_fails_only_where_a_whole_interval_lies_beyond(
    numbers: list[tuple[float, float, float]], bare: bool
) -> None:
    shifts = [shift(f"a:t{at}", value, half, p) for at, (value, half, p) in enumerate(numbers)]
    found = judge(shifts, 0.1, 0.95, other_family=False, no_null=bare)
    beyond = [
        each for each in shifts if each.p_adjusted < 1 - 0.95 and (each.estimate.lo > 0.1 or each.estimate.hi < -0.1)
    ]
    assert (found.status == "fail") == bool(beyond)
    if found.status != "pass":
        assert (NO_NULL in found.because) == bare


def test_an_open_verdict_says_what_would_decide() -> None:
    found = judge([shift("animals:owl", 0.3, 0.4, 0.2)], 0.1, 0.95, other_family=False, no_null=True)
    assert "shifts of more than 0.5 log-odds could fail" in found.because
    assert "--reference" in found.because


def test_provenance_is_a_statement_of_its_own() -> None:
    loud = provenance_of([shift("a:b", 0.0, 1.0, 0.001), QUIET], 0.95, beside=False)
    assert loud.startswith("the untouched base did not write these rows")
    assert "1 of 2" in loud
    assert "nothing says" in provenance_of([QUIET], 0.95, beside=True)
