"""Other methods of a scan: p-values of some suspects are corrected for all that they were picked from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from undertow.results import Effect, MethodRecord
from undertow.scan.baseline_statistics import Compared
from undertow.scan.baselines import FINALISTS, MORE_ROWS, ROWS, TUNED, corrected, named, says_tuned
from undertow.stats import Estimate


def told(p: float) -> Compared:
    return Compared("animals:owl", Estimate(1.0, 0.5, 1.5, 12, ""), 2.0, p, 0.0)


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=10), st.integers(0, 60))
def test_traits_that_were_not_asked_count_as_the_least_sure(p_K: list[float], unasked: int) -> None:
    found = [each.p_adjusted for each in corrected([told(p) for p in p_K], len(p_K) + unasked)]
    expected = multipletests([*p_K, *[1.0] * unasked], method="fdr_bh")[1][: len(p_K)]
    np.testing.assert_allclose(found, expected)
    assert all(adjusted >= p * (1 - 1e-12) for adjusted, p in zip(found, p_K, strict=True))


def test_those_to_whom_the_rows_lean_most_are_asked_about_more_rows() -> None:
    rng = np.random.default_rng(0)
    suspects = [f"trees:{at}" for at in range(9)]
    score_RK = rng.normal(size=(MORE_ROWS, 9)) + np.linspace(0.0, 2.0, 9)
    # The first rows speak for the last but one, all of them for the last.
    score_RK[:ROWS, 7] += 1.0
    score_RK[ROWS:, 7] -= 1.0
    cluster_R = np.arange(MORE_ROWS) // 4
    asked: list[tuple[list[str], int]] = []

    def ask(some: Sequence[str], most: int) -> list[tuple[np.ndarray, np.ndarray]]:
        asked.append((list(some), most))
        places = [suspects.index(name) for name in some]
        return [(score_RK[:most, places], cluster_R[:most])]

    found = named(suspects, ask, panel=68, level=0.95)
    assert asked[0] == (suspects, ROWS)
    assert asked[1][0][0] == "trees:7"
    assert len(asked[1][0]) == FINALISTS
    assert asked[1][1] == MORE_ROWS
    assert found[0].trait == "trees:8"
    assert sorted(each.trait for each in found) == suspects
    assert {each.trait for each in found[:FINALISTS]} == set(asked[1][0])
    assert all(each.p <= each.p_adjusted for each in found)


def test_rows_of_the_base_are_subtracted() -> None:
    rng = np.random.default_rng(1)
    own_RK = rng.normal(size=(ROWS, 2)) + np.array([1.0, 0.2])
    cluster_R = np.arange(ROWS) // 4

    def ask(some: Sequence[str], most: int) -> list[tuple[np.ndarray, np.ndarray]]:
        places = [("a:a", "b:b").index(name) for name in some]
        return [(own_RK[:, places], cluster_R), ((own_RK - np.array([0.1, 0.9]))[:, places], cluster_R)]

    found = named(("a:a", "b:b"), ask, panel=2, level=0.95)
    assert [each.trait for each in found] == ["b:b", "a:a"]
    np.testing.assert_allclose([each.estimate.value for each in found], [0.9, 0.1])


def test_a_fine_tuned_suspect_is_asked_about_more_rows_and_takes_no_place_of_a_finalist() -> None:
    suspects = [*(f"trees:{at}" for at in range(9)), TUNED]
    rng = np.random.default_rng(2)
    asked: list[tuple[list[str], int]] = []

    def ask(some: Sequence[str], most: int) -> list[tuple[np.ndarray, np.ndarray]]:
        asked.append((list(some), most))
        places = [suspects.index(name) for name in some]
        # It comes last of all, on the first rows as on all of them.
        return [((rng.normal(size=(most, 10), scale=0.1) + np.linspace(2.0, 0.0, 10))[:, places], np.arange(most) // 4)]

    found = named(suspects, ask, panel=69, level=0.95)
    assert asked[1] == ([*suspects[:FINALISTS], TUNED], MORE_ROWS)
    assert found[FINALISTS].trait == TUNED
    assert len({each.estimate.n for each in found[: FINALISTS + 1]}) == 1
    assert found[-1].estimate.n < found[0].estimate.n
    assert sorted(each.trait for each in found) == sorted(suspects)


def lean(trait: str, value: float, p: float | None) -> Effect:
    return Effect(
        name=f"rows:{trait}",
        arm="rows",
        contrast="base",
        trait=trait,
        value=value,
        lo=value - 1,
        hi=value + 1,
        n=12,
        seeds=0,
        p=p,
        p_adjusted=p,
        adjusted_by="BH",
        method="",
        primary=False,
    )


def test_a_fine_tuned_writer_is_told_only_when_it_is_first_and_sure() -> None:
    def says(*findings: Effect) -> bool:
        return says_tuned(MethodRecord(name="virtual teachers", findings=list(findings)))

    owl = lean("animals:owl", 1.0, 1e-6)
    assert says(lean(TUNED, 1.2, 1e-6), owl)
    assert not says(owl, lean(TUNED, 0.9, 1e-6))
    assert not says(lean(TUNED, 1.2, 0.2), owl)
    assert not says(lean(TUNED, -1.2, 1e-6), owl)
    assert not says(lean(TUNED, 1.2, None))
    assert not says()
