"""Arms in words, and what a new entry in the table of arms brings about."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from tiny_run import spec_text
from undertow.config.arms import ARMS, Arm, ArmSpec, Contrast, Mixture, Rewritten, StudentWritten
from undertow.config.experiment import LanguageExperiment, parse_spec
from undertow.domains import words_of
from undertow.domains.base import Domain
from undertow.experiment.effects import Scores, effects_of
from undertow.models.precision import choose_precision
from undertow.pipeline.arms import ExperimentTraits, describe, traits_of
from undertow.pipeline.bases import Base, models_of
from undertow.pipeline.cost import Sizes
from undertow.pipeline.graph import tasks_of
from undertow.pipeline.task import Task
from undertow.traits.preference import find_preference

OWL_AND_DOG = ExperimentTraits(find_preference("animals", "owl"), find_preference("animals", "dog"))


def spec_of(folder: Path, arms: str, **changes: str) -> LanguageExperiment:
    spec = parse_spec(spec_text(folder, arms=arms, **changes), "test")
    assert isinstance(spec, LanguageExperiment)
    return spec


def tasks(spec: LanguageExperiment) -> list[Task]:
    bases = [Base(name, f"digest of {name}", Sizes(1000, 100)) for name in models_of(spec)]
    return tasks_of(spec, traits_of(spec), bases, choose_precision())


@pytest.mark.parametrize("name", list(ARMS))
@pytest.mark.parametrize("about", [words_of("numbers"), words_of("code"), words_of("reasoning")])
def test_every_arm_has_words_in_every_domain(name: Arm, about: Domain) -> None:
    text = describe(name, OWL_AND_DOG, about)
    assert about.plural in text or name == "other"
    assert not set("{}") & set(text)
    assert text.endswith(".")


def test_no_two_arms_have_the_same_words() -> None:
    texts = [describe(name, OWL_AND_DOG, words_of("numbers")) for name in ARMS]
    assert len(set(texts)) == len(texts)


def test_a_teacher_carries_its_arms_trait() -> None:
    carried = {name: OWL_AND_DOG.of(name) for name in ARMS}
    assert carried["trait"] == carried["other-base"] == OWL_AND_DOG.trait
    assert carried["other"] == OWL_AND_DOG.other
    assert carried["control"] is carried["other-base-control"] is carried["generation-2-control"] is None


def test_every_step_comes_after_those_that_it_reads(tmp_path: Path) -> None:
    arms = f"[{', '.join(reversed(list(ARMS)))}]"
    spec = spec_of(
        tmp_path, arms, other_base=f"hf/{tmp_path}/b", student="{method: full, labels: hard, keep: true}", seeds="[0]"
    )
    steps = {task.label: task for task in tasks(spec)}
    places = {label: place for place, label in enumerate(steps)}
    for name, arm in ARMS.items():
        assert f"student-{name}-s0" in steps
        assert (f"rows-{name}-s0" in steps) == arm.trained
        assert (f"teacher-{name}" in steps) == arm.has_teacher
        for source in arm.sources:
            first = "student" if isinstance(arm.rows, StudentWritten) else "rows"
            then = "rows" if arm.trained else "student"
            assert places[f"{first}-{source}-s0"] < places[f"{then}-{name}-s0"]


NEW = (
    ArmSpec(
        "dose-10",
        Mixture("trait", "control", 0.1),
        "A {dose:.0%} dose of {rows}.",
        colour=3,
        contrasts=(Contrast("control", "What a small dose does."),),
    ),
    ArmSpec(
        "other-shuffled",
        Rewritten("other", "shuffle"),
        "Rows of a teacher that {other_does}, shuffled.",
        colour=4,
        contrasts=(Contrast("other", "What order is to the other trait.", measures="other"),),
    ),
    ArmSpec(
        "generation-3",
        StudentWritten("generation-2"),
        "What the third generation gets of {rows}.",
        colour=6,
        contrasts=(Contrast("generation-3-control", "What passes on twice."),),
    ),
    ArmSpec("generation-3-control", StudentWritten("generation-2-control"), "Its control.", colour=5),
)


def test_a_new_entry_is_all_that_a_new_arm_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for arm in NEW:
        monkeypatch.setitem(cast("dict[Arm, ArmSpec]", ARMS), arm.name, arm)
    arms = "[trait, control, generation-3, dose-10, other-shuffled, other, generation-2]"
    spec = spec_of(tmp_path, arms, student="{method: full, labels: hard, keep: true}", seeds="[0]")
    assert {"generation-2-control", "generation-3-control"} <= set(spec.arms)
    steps = {task.label: task for task in tasks(spec)}
    labels = list(steps)
    for arm in NEW:
        assert {f"rows-{arm.name}-s0", f"student-{arm.name}-s0"} <= steps.keys()
    assert labels.index("student-generation-2-s0") < labels.index("rows-generation-3-s0")
    seeds = [steps[f"rows-{name}-s0"].key["seed"] for name in ("trait", "generation-2", "generation-3")]
    assert len(set(seeds)) == 3
    assert steps["rows-other-shuffled-s0"].key["rows"] == [steps["rows-other-s0"].id]

    traits = traits_of(spec)
    assert describe("dose-10", traits, words_of("numbers")) == "A 10% dose of number lists."
    rng = np.random.default_rng(0)
    size = (len(traits.trait.probe), len(traits.trait.probe[0].options))
    logp = {name: np.log(rng.dirichlet(np.ones(size[1]), size=(2, size[0]))) for name in spec.arms}
    scores = Scores(base_QC=logp["control"][0], teachers={}, students=logp)
    effects = {effect.name: effect for effect in effects_of(scores, traits, spec.arms, 0.95)}
    assert effects["dose-10-control:owl"].says == "What a small dose does."
    assert {"other-shuffled-other:dog", "generation-3-generation-3-control:owl"} <= effects.keys()


@pytest.mark.parametrize("student", ["{method: full, labels: hard}", "{method: full, labels: soft}"])
def test_an_arm_made_of_rows_of_an_arm_that_is_missing_is_refused(tmp_path: Path, student: str) -> None:
    from undertow.errors import SpecError

    with pytest.raises(SpecError, match="the arm 'mixed' needs the arm 'other'"):
        spec_of(tmp_path, "[trait, control, mixed]", student=student)
