"""The headline's p: a question that was chosen beforehand has its own, the strongest of a panel the corrected one."""

from __future__ import annotations

import pytest

from stored_results import effect, finding, run, scan
from undertow.report.limits import Limits
from undertow.report.verdict import headline, slots_of
from undertow.results import Effect, Results


def facts(results: Results) -> list[str]:
    head = headline(results, slots_of(results), Limits())
    assert head is not None
    return head.facts


def strongest(**more: float | None) -> Effect:
    fields = {"primary": True, "p": 0.002, "p_adjusted": 0.134, "adjusted_by": "BH"}
    return finding("animals:owl").model_copy(update=fields | more)


@pytest.mark.parametrize("kind", ["scan", "audit"])
def test_the_strongest_of_a_panel_is_shown_with_its_corrected_p(kind: str) -> None:
    others = [finding(f"animals:a{at}") for at in range(67)]
    results = scan(strongest(), *others).model_copy(update={"kind": kind})
    assert facts(results) == ["p = 0.13, corrected for 68 traits", "n = 3"]


def test_a_panel_without_corrected_values_shows_no_p() -> None:
    assert facts(scan(strongest(p_adjusted=None))) == ["n = 3"]


def test_a_question_that_was_chosen_beforehand_keeps_its_own_p() -> None:
    chosen = effect(primary=True, p=0.012, p_adjusted=0.036)
    assert facts(run(chosen)) == ["p = 0.012", "3 seeds", "n = 3"]
