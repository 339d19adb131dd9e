"""The headline's p is the primary effect's own, or a panel's corrected one; colours of arms on a page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stored_results import effect, finding, run, scan
from undertow.config.arms import ARMS
from undertow.report import svg
from undertow.report.limits import Limits
from undertow.report.verdict import headline, slots_of
from undertow.results import ArmSummary, Effect, Interval, Results


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


@given(st.lists(st.sampled_from(sorted(ARMS)), unique=True, max_size=svg.SLOTS - 2))
def test_arms_of_one_page_differ_in_colour_and_keep_it_where_they_can(more: list[str]) -> None:
    names = list(dict.fromkeys(["trait", "control", *more]))
    shift = Interval(value=0.0, lo=-1.0, hi=1.0, n=1, method="")
    results = run(effects=[], arms=[ArmSummary(arm=name, says="", shift=shift) for name in names])
    slots = slots_of(results)
    assert len(set(slots.values())) == len(names)
    for place, name in enumerate(names):
        taken = {slots[before] for before in names[:place]}
        assert slots[name] == ARMS[name].colour or ARMS[name].colour in taken


def test_methods_and_models_take_colours_in_their_order() -> None:
    shift = Interval(value=0.0, lo=-1.0, hi=1.0, n=1, method="")
    arms = [ArmSummary(arm=name, says="", shift=shift) for name in ("none", "other-base", "paraphrase")]
    results = run(effects=[], arms=arms).model_copy(update={"kind": "mitigate"})
    assert list(slots_of(results).values()) == [0, 1, 2]
