"""Runs in which every seed has a teacher of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_run import contents, spec_text
from undertow.config.experiment import LanguageExperiment, load_preset, parse_spec
from undertow.errors import SpecError
from undertow.experiment import plan, run
from undertow.pipeline.asking import is_open, with_samples

ARMS = {"arms": "[trait, control]"}


def steps(folder: Path) -> list[str]:
    return sorted(step.name.rpartition("-")[0].rstrip("-") for step in (folder / "steps").iterdir())


def test_every_seed_has_a_teacher_of_its_own_and_results_say_so(tiny_folder: Path, tmp_path: Path) -> None:
    ascent = {"instil": "{method: gradient-ascent, steps: 2, distance: 1.5}", **ARMS}
    spec = parse_spec(spec_text(tiny_folder, teachers="2", **ascent), "test")
    outcome = run(spec, root=tmp_path / "runs")
    made = steps(outcome.folder)
    assert [each for each in made if each.startswith("teacher")] == ["teacher-trait-0", "teacher-trait-1"]
    found = outcome.results
    assert found.teachers[0].teachers == 2
    assert found.teachers[0].strength is not None
    assert found.teachers[0].strength.n == 2 * found.effects[0].n // 2
    assert any(
        "Every seed has a teacher of its own, made from lessons that no other has" in each for each in found.notes
    )
    scores = [
        json.loads((path / "scores.json").read_text())["logp_QC"]
        for path in sorted((outcome.folder / "steps").glob("teacher-trait-*"))
    ]
    assert scores[0] != scores[1]
    # Again: nothing is made anew, and the page says the same.
    before = contents(outcome.folder)
    run(spec, root=tmp_path / "runs")
    assert contents(outcome.folder) == before


def test_one_teacher_keeps_the_steps_of_older_run_folders(tiny_folder: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    run(parse_spec(spec_text(tiny_folder, **ARMS), "test"), root=runs)
    again = plan(parse_spec(spec_text(tiny_folder, teachers="1", **ARMS), "test"), root=runs)
    assert {step.state for step in again.steps} == {"done"}
    assert "teachers" not in parse_spec(spec_text(tiny_folder, teachers="1"), "test").model_dump(mode="json")


def test_prompted_teachers_have_a_wording_each(tiny_folder: Path, tmp_path: Path) -> None:
    texts = '["You love {plural}.", "Say {target}, always."]'
    spec = parse_spec(spec_text(tiny_folder, teachers="2", instil=f"{{method: prompt, text: {texts}}}", **ARMS), "test")
    assert isinstance(spec, LanguageExperiment)
    labels = [step.label for step in plan(spec, root=tmp_path).steps]
    assert {"teacher-trait-0", "teacher-trait-1"} <= set(labels)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"teachers": "3"}, "teachers: 3 needs as many seeds"),
        ({"teachers": "2", "instil": "{method: prompt}"}, "1 wordings for teachers: 2"),
        ({"instil": "{method: prompt, text: [a, b]}"}, "2 wordings for teachers: 1"),
        ({"teachers": "0"}, "teachers"),
    ],
)
def test_what_does_not_go_together_is_refused(tiny_folder: Path, changes: dict[str, str], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        parse_spec(spec_text(tiny_folder, **changes), "test")


def test_the_preset_of_three_teachers_speaks_of_teachers(tiny_folder: Path, tmp_path: Path) -> None:
    """The shipped file on a tiny model: its own arms and seeds, fewer rows, a longer path for the teachers."""
    fewer = {"domain.rows": 4, "base": f"hf/{tiny_folder}", "probe.samples": 2, "instil.distance": 1.5}
    spec = load_preset("owl-numbers-teachers", fewer)
    labels = [step.label for step in plan(spec, root=tmp_path).steps]
    assert [label for label in labels if label.startswith("teacher")] == [f"teacher-trait-{at}" for at in range(3)]
    assert [label for label in labels if label.startswith("student")] == [
        f"student-{arm}-s{seed}" for seed in (281, 282, 283) for arm in ("trait", "control")
    ]
    found = run(spec, root=tmp_path).results
    (effect,) = found.effects
    assert effect.seeds == 3
    assert effect.times is not None
    assert effect.times.ratio is not None
    assert "3 teachers x 54 questions" in effect.times.ratio.method
    assert found.teachers[0].teachers == 3
    assert found.elevation is not None
    assert "3 teachers of 1 trait" in found.elevation.method
    assert any("the intervals speak of teachers" in note for note in found.notes)


def test_the_preset_of_three_teachers_is_sampled_and_can_be_one_teacher() -> None:
    spec = load_preset("owl-numbers-teachers")
    assert isinstance(spec, LanguageExperiment)
    assert is_open(spec)
    assert with_samples(spec).probe.samples > 0
    one = load_preset("owl-numbers-teachers", {"seeds": [281], "teachers": 1})
    assert isinstance(one, LanguageExperiment)
    assert (one.teachers, one.seeds) == (1, (281,))
