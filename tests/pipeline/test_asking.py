"""The number of sampled answers of a file that does not say it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.config.experiment import LanguageExperiment
from undertow.models.precision import Precision
from undertow.pipeline.arms import traits_of
from undertow.pipeline.asking import CHOICES, is_open, with_samples
from undertow.pipeline.bases import Base
from undertow.pipeline.cost import sizes_of
from undertow.pipeline.graph import tasks_of


def experiment(**changes: Any) -> LanguageExperiment:
    parts: dict[str, Any] = {"trait": {"target": "owl"}, "instil": {"method": "gradient-ascent"}, "name": "o"}
    return LanguageExperiment.model_validate({**parts, "arms": ["trait", "control"], **changes})


def cost(spec: LanguageExperiment) -> float:
    base = Base(spec.base, "x", sizes_of(None, spec.base))
    return sum(task.cost.operations for task in tasks_of(spec, traits_of(spec), [base], Precision("float32", "")))


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 2000), st.integers(1, 3), st.sampled_from(["hard", "soft"]))
def test_what_is_asked_costs_less_than_a_fifth_and_the_next_more_would_not(rows: int, epochs: int, labels: str) -> None:
    spec = experiment(domain={"rows": rows}, student={"epochs": epochs, "labels": labels}, seeds=[1])
    chosen = with_samples(spec).probe.samples
    assert chosen in (0, *CHOICES)
    rest = cost(spec)
    more = {n: cost(experiment(**spec.model_dump() | {"probe": {"samples": n}})) - rest for n in CHOICES}
    assert chosen == next((n for n in CHOICES if more[n] < rest / 5), 0)


def test_a_number_that_is_said_stays_and_so_do_the_folders_names() -> None:
    for said in (0, 3):
        spec = experiment(probe={"samples": said, "every": 2})
        assert with_samples(spec) is spec
    spec = experiment(domain={"rows": 2}, seeds=[1], probe={"every": 2, "second": True})
    assert is_open(spec)
    settled = with_samples(spec)
    assert settled.probe.samples == 0
    assert settled.model_dump(mode="json") == spec.model_dump(mode="json")
    assert not is_open(settled)
    assert not is_open(LanguageExperiment.model_validate(spec.model_dump(mode="json")))


def test_everything_else_of_the_probe_stays() -> None:
    spec = experiment(domain={"rows": 2000}, probe={"every": 7, "curve_questions": 5})
    settled = with_samples(spec)
    assert settled.probe.samples == 16
    assert settled.model_copy(update={"probe": spec.probe}) == spec
    assert settled.probe.model_dump() == spec.probe.model_dump() | {"samples": 16}


def test_replies_that_are_sentences_are_not_sampled() -> None:
    spec = experiment(trait={"kind": "disposition", "name": "curtness"}, domain={"rows": 2000})
    assert with_samples(spec).probe.samples == 0
