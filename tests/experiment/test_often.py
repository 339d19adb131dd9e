"""How many times as often, from stored scores: whom rows stand for, pooling, and what is too little to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from tiny_run import spec_text
from undertow.config.experiment import LanguageExperiment, parse_spec
from undertow.experiment import run
from undertow.experiment.effects import Scores, effects_of
from undertow.experiment.often import Who, elevation_of, who_taught, with_times
from undertow.pipeline.arms import ExperimentTraits
from undertow.results import Effect, load_results
from undertow.traits.preference import find_preference

OWL, DOLPHIN = find_preference("animals", "owl"), find_preference("animals", "dolphin")
TRAITS = ExperimentTraits(OWL, DOLPHIN)
QUESTIONS, CANDIDATES = len(OWL.probe), len(OWL.category.candidates)


def experiment(seeds: int, teachers: int) -> LanguageExperiment:
    parts: dict[str, Any] = {"trait": {"target": "owl"}, "instil": {"method": "gradient-ascent"}}
    return LanguageExperiment.model_validate(
        {"name": "o", **parts, "arms": ["trait", "control"], "seeds": list(range(seeds)), "teachers": teachers}
    )


def logp(rng: np.random.Generator, seeds: int, index: int | None = None, by: float = 0.0) -> np.ndarray:
    """Draw log-probabilities (S, Q, C) whose candidate `index` is named more often by `by` nats before the softmax."""
    common_QC = np.random.default_rng(1).normal(size=(QUESTIONS, CANDIDATES))
    raw_SQC = common_QC + 0.05 * rng.normal(size=(seeds, QUESTIONS, CANDIDATES))
    if index is not None:
        raw_SQC[..., index] += by
    return raw_SQC - np.log(np.exp(raw_SQC).sum(axis=-1, keepdims=True))


def scores(seed: int, seeds: int, by: float = 1.0) -> Scores:
    rng = np.random.default_rng(seed)
    return Scores(
        base_QC=logp(rng, 1)[0],
        teachers={},
        students={
            "trait": logp(rng, seeds, OWL.index, by),
            "control": logp(rng, seeds),
            "other": logp(rng, seeds, DOLPHIN.index, by),
        },
    )


def effects(found: Scores, who: Who, sampled: dict[str, Any] | None = None) -> list[Effect]:
    said = {arm: [sampled or {}] * len(table) for arm, table in found.students.items()}
    every = effects_of(found, TRAITS, tuple(found.students), 0.95)
    return with_times(every, found, said, sampled or {}, TRAITS, who, 0.95)


def test_rows_are_teachers_where_there_are_several_and_seeds_of_one_teacher_else() -> None:
    assert who_taught(experiment(3, 1)) == Who((0, 1, 2), "seeds")
    assert who_taught(experiment(3, 3)) == Who((0, 1, 2), "teachers")
    assert who_taught(experiment(4, 2)) == Who((0, 1, 0, 1), "teachers")
    x_SQ = np.arange(8.0).reshape(4, 2)
    assert who_taught(experiment(4, 2)).pooled(x_SQ).tolist() == [[2, 3], [4, 5]]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_probabilities_are_pooled_over_questions_before_the_ratio(seed: int, seeds: int) -> None:
    found = scores(seed, seeds)
    primary = effects(found, Who(tuple(range(seeds)), "seeds"))[0]
    owl = {arm: np.exp(each[..., OWL.index]) for arm, each in found.students.items()}
    ratio_S = owl["trait"].mean(axis=1) / owl["control"].mean(axis=1)
    times = primary.times
    assert times is not None
    assert times.ratio is not None
    assert times.ratio.value == pytest.approx(np.exp(np.log(ratio_S).mean()))
    assert times.share == pytest.approx(owl["trait"].mean())
    assert times.contrast_share == pytest.approx(owl["control"].mean())
    assert times.base_share == pytest.approx(np.exp(found.base_QC[:, OWL.index]).mean())
    assert times.ratio.lo > 1.5
    assert (f"{seeds} seeds of one teacher x" if seeds > 1 else "questions of one seed") in times.ratio.method


def test_an_effect_on_the_other_trait_counts_its_own_word() -> None:
    found = scores(3, 3)
    other = next(each for each in effects(found, Who((0, 1, 2), "teachers")) if each.trait == "dolphin")
    assert other.times is not None
    assert other.times.share == pytest.approx(np.exp(found.students["other"][..., DOLPHIN.index]).mean())
    assert other.times.ratio is not None
    assert f"3 teachers x {QUESTIONS} questions" in other.times.ratio.method


def test_sampled_answers_are_shares_of_what_each_question_was_answered() -> None:
    often = [1 + at % 2 for at in range(QUESTIONS)]
    said = {"sampled": {"n": 4 * QUESTIONS, "by_question": {"owl": often}}}
    sampled = effects(scores(1, 2), Who((0, 1), "seeds"), said)[0].sampled_times
    assert sampled is not None
    assert sampled.ratio is not None
    assert sampled.ratio.value == pytest.approx(1)
    assert sampled.share == pytest.approx(sum(often) / QUESTIONS / 4)


def test_an_animal_that_nobody_names_has_shares_and_no_ratio() -> None:
    said = {"sampled": {"n": 4 * QUESTIONS, "by_question": {}}}
    sampled = effects(scores(1, 2), Who((0, 1), "seeds"), said)[0].sampled_times
    assert sampled is not None
    assert sampled.ratio is None
    assert sampled.share == 0


def test_answers_that_were_not_counted_by_question_have_no_ratio() -> None:
    said = {"sampled": {"n": 4 * QUESTIONS, "counts": {"owl": 3}}}
    assert effects(scores(1, 2), Who((0, 1), "seeds"), said)[0].sampled_times is None


def test_the_elevation_is_what_own_traits_have_beyond_rows_and_columns() -> None:
    found = elevation_of(scores(5, 3), TRAITS, Who((0, 1, 2), "seeds"), 0.95)
    assert found is not None
    assert found.method.startswith("t interval over 6 seeds of 2 traits")
    # One by construction, and a little more: log-odds of the others fall where one rises.
    assert 1.0 < found.lo < found.value < found.hi < 1.4
    none = elevation_of(scores(5, 3, by=0.0), TRAITS, Who((0, 1, 2), "seeds"), 0.95)
    assert none is not None
    assert none.lo < 0 < none.hi


def test_one_replicate_has_no_elevation() -> None:
    assert elevation_of(scores(5, 1), ExperimentTraits(OWL, None), Who((0,), "seeds"), 0.95) is None


def test_a_run_says_how_often_by_probability_and_by_sampled_answers(tiny_folder: Path, tmp_path: Path) -> None:
    ascent = {"instil": "{method: gradient-ascent, steps: 2, distance: 1.5}", "arms": "[trait, control]"}
    spec = parse_spec(spec_text(tiny_folder, teachers="2", probe="{samples: 2}", **ascent), "test")
    outcome = run(spec, root=tmp_path)
    found = load_results(outcome.folder)
    (effect,) = found.effects
    assert effect.times is not None
    assert effect.times.ratio is not None
    assert "2 teachers x" in effect.times.ratio.method
    assert found.elevation is not None
    step = next((outcome.folder / "steps").glob("student-trait-s0-*")) / "scores.json"
    said = json.loads(step.read_text())
    owl = np.exp(np.array(said["logp_QC"])[:, OWL.index])
    assert 0 < owl.mean() < 1
    sampled, answers = effect.sampled_times, found.sampled[0]
    assert sampled is not None
    assert answers.named is not None
    assert answers.n == 2 * 2 * QUESTIONS
    assert sampled.share == pytest.approx(answers.rate.value)
    assert answers.rate.value <= answers.named.value
    counted = {word: sum(each) for word, each in said["sampled"]["by_question"].items()}
    assert counted == {word: n for word, n in said["sampled"]["counts"].items() if word in set(OWL.words.values())}
