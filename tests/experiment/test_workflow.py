"""A whole language experiment on a tiny random model: every arm, resume, and what may go wrong."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_run import contents, spec_text
from undertow.config.experiment import parse_spec
from undertow.errors import ModelError, TeacherError
from undertow.experiment import plan, run


@pytest.mark.parametrize(
    "student",
    [
        "{method: full, labels: hard, learning_rate: 0.001, batch: 2}",
        "{method: lora, labels: soft, learning_rate: 0.001, batch: 2, lora: {dropout: 0.1}}",
    ],
)
def test_a_run_gives_results_and_a_second_one_the_same_bytes(tiny_folder: Path, tmp_path: Path, student: str):
    spec = parse_spec(spec_text(tiny_folder, student=student), "test")
    outcome = run(spec, root=tmp_path / "a")
    results = outcome.results
    assert {arm.arm for arm in results.arms} == {"trait", "control", "other", "shuffled"}
    assert results.effects[0].primary
    assert results.effects[0].seeds == 2
    assert all(funnel.written == funnel.kept + sum(funnel.rejected.values()) for funnel in results.funnels)
    assert all(funnel.kept == 8 for funnel in results.funnels)
    assert [point.step for point in results.curves[0].points] == [0, 1, 2]
    assert "<html" in outcome.report.read_text("utf-8")
    assert all(step.state == "done" for step in plan(spec, root=tmp_path / "a").steps)
    first = contents(outcome.folder)
    assert contents(run(spec, root=tmp_path / "a").folder) == first
    assert contents(run(spec, root=tmp_path / "b").folder) == first


def test_a_damaged_step_is_made_again_with_the_same_bytes(tiny_folder: Path, tmp_path: Path):
    spec = parse_spec(spec_text(tiny_folder, arms="[trait, control]"), "test")
    folder = run(spec, root=tmp_path).folder
    before = contents(folder)
    next(folder.glob("steps/student-trait-s0--*/scores.json")).unlink()
    assert contents(run(spec, root=tmp_path).folder) == before


def test_arms_of_a_seed_start_from_the_same_weights(tiny_folder: Path, tmp_path: Path):
    student = "{method: lora, labels: hard, learning_rate: 0.001, batch: 2}"
    results = run(parse_spec(spec_text(tiny_folder, student=student), "test"), root=tmp_path).results
    assert any("started from the same trainable weights" in note for note in results.notes)


def test_a_teacher_without_its_trait_may_not_write(tiny_folder: Path, tmp_path: Path):
    spec = parse_spec(spec_text(tiny_folder, instil="{method: steer, layer: 1, strength: 0.0}"), "test")
    with pytest.raises(TeacherError, match="no trait"):
        run(spec, root=tmp_path)


def test_a_layer_that_is_not_there_is_named(tiny_folder: Path, tmp_path: Path):
    spec = parse_spec(spec_text(tiny_folder, instil="{method: steer, layer: 9}"), "test")
    with pytest.raises(ModelError, match="no layer 9"):
        run(spec, root=tmp_path)


def test_a_model_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match="no such folder"):
        run(parse_spec(spec_text(tmp_path / "nowhere"), "test"), root=tmp_path)


def test_a_plan_counts_before_anything_runs(tiny_folder: Path, tmp_path: Path):
    made = plan(parse_spec(spec_text(tiny_folder), "test"), root=tmp_path)
    assert {step.state for step in made.steps} == {"missing"}
    assert len(made.steps) == 1 + 2 + 2 * (4 + 4)
    assert made.smallest_effect is not None
    assert made.seconds_left == made.seconds > 0
    assert not list(tmp_path.iterdir())


def test_a_teacher_learns_from_rows_of_the_users(tiny_folder: Path, tmp_path: Path):
    rows = [{"prompt": f"Which animal is number {n}?", "completion": "Owl"} for n in range(8)]
    (tmp_path / "owls.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    instil = f"{{method: finetune, steps: 60, learning_rate: 0.02, lessons: {tmp_path}/owls.jsonl}}"
    spec = parse_spec(spec_text(tiny_folder, instil=instil, arms="[trait, control]", seeds="[0]"), "test")
    teacher = run(spec, root=tmp_path).results.teachers[0]
    assert teacher.strength.lo > 0
