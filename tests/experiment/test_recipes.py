"""Experiments whose students are trained by a recipe: what it says, what stands beside it, what a killed run does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

import undertow.pipeline.students as students
from tiny_run import spec_text
from undertow.config.experiment import load_spec, parse_spec
from undertow.config.recipes.applied import recipe_digest
from undertow.errors import SpecError
from undertow.experiment import plan, run
from undertow.pipeline.keys import student_key
from undertow.store.folder import SPEC

RECIPE = (
    "{learning_rate: 0.01, schedule: cosine, warmup_ratio: 0.3, epochs: 1.5, batch: 4, micro_batch: 2, loss: whole, "
    "adapter: {rank: 4, alpha: 8, dora: true, rank_stabilised: true, modules_to_save: [lm_head]}}"
)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def spec_of(tiny_folder: Path, tmp_path: Path, recipe: str = RECIPE, **beside: object):
    (tmp_path / "recipe.yaml").write_text(recipe, encoding="utf-8")
    student = json.dumps({"recipe": "recipe.yaml", **beside})
    text = spec_text(tiny_folder, student=student, seeds="[0, 1]")
    return parse_spec(text, "test", file=tmp_path / "experiment.yaml")


def test_a_run_obeys_its_recipe_and_says_what_stood_beside_it(tiny_folder: Path, tmp_path: Path) -> None:
    spec = spec_of(tiny_folder, tmp_path, learning_rate=0.02)
    outcome = run(spec, root=tmp_path / "runs")
    (folder,) = outcome.folder.glob("steps/student-trait-s0--*")
    scores = json.loads((folder / "scores.json").read_text())
    per_epoch = -(-spec.domain.rows // 4)
    assert scores["steps"] == -(-3 * per_epoch // 2)
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    # Transformers' warm-up begins at zero.
    assert metrics[0]["learning_rate"] == 0.0
    assert 0 < max(each["learning_rate"] for each in metrics) <= 0.02
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["use_dora"], config["use_rslora"], config["modules_to_save"]) == (
        4, True, True, ["lm_head"],
    )  # fmt: skip
    notes = "\n".join(outcome.results.notes)
    assert "DoRA, rank-stabilised (rank 4, alpha 8)" in notes
    assert "learning_rate 0.02" in notes
    # The folder needs the recipe's file no more, and names the same steps.
    (tmp_path / "recipe.yaml").unlink()
    again = load_spec(outcome.folder / SPEC)
    assert again.student.resolved == spec.student.resolved
    planned = plan(again, root=tmp_path / "runs")
    assert {step.state for step in planned.steps} == {"done"}
    assert any("DoRA" in note for note in planned.notes)
    assert any("not modelled: seed = 42" in note for note in planned.notes)


def test_a_run_that_was_killed_in_training_ends_as_an_undisturbed_one(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tiny_folder, tmp_path, RECIPE.replace("alpha: 8", "alpha: 8, dropout: 0.2"))
    whole = run(spec, root=tmp_path / "whole")
    train, calls = students.train, []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            kwargs["on_step"] = lambda step: (_ for _ in ()).throw(KeyboardInterrupt)
        return train(*args, **kwargs)

    monkeypatch.setattr(students, "train", dies)
    with pytest.raises(KeyboardInterrupt):
        run(spec, root=tmp_path / "killed")
    monkeypatch.undo()
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    resumed = run(spec, root=tmp_path / "killed")
    assert resumed.results.effects == whole.results.effects


def test_the_key_of_a_student_holds_what_a_recipe_says_and_not_where_it_stands(
    tiny_folder: Path, tmp_path: Path
) -> None:
    one = spec_of(tiny_folder, tmp_path).student
    (tmp_path / "other").mkdir()
    other = spec_of(tiny_folder, tmp_path / "other").student
    assert student_key(one) == student_key(other)
    assert student_key(one)["recipe"] == recipe_digest(one.resolved)
    changed = spec_of(tiny_folder, tmp_path, RECIPE.replace("rank: 4", "rank: 5")).student
    assert student_key(changed) != student_key(one)
    assert student_key(spec_of(tiny_folder, tmp_path, order="prompts").student) != student_key(one)


def test_students_without_a_recipe_keep_their_keys(tiny_folder: Path) -> None:
    student = parse_spec(spec_text(tiny_folder), "test").student
    assert not {"recipe", "order"} & student_key(student).keys()
    assert student_key(student) == student.model_dump(mode="json")


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ({"labels": "soft"}, "labels"),
        ({"method": "full", "lora": {"rank": 2}}, "leave one of the two away"),
        ({"batch": 0}, "batch"),
    ],
)
def test_what_does_not_go_with_a_recipe_is_refused(tiny_folder: Path, tmp_path: Path, beside, says) -> None:
    with pytest.raises(SpecError, match=says):
        spec_of(tiny_folder, tmp_path, **beside)


def test_settings_beside_a_recipe_take_the_place_of_its_own(tiny_folder: Path, tmp_path: Path) -> None:
    student = spec_of(tiny_folder, tmp_path, epochs=2, batch=6, warmup=3, lora={"rank": 2}).student
    spec = student.resolved
    assert (spec.epochs, spec.batch, spec.micro_batch, spec.warmup_steps, spec.warmup_ratio) == (2, 6, 2, 3, 0)
    assert (spec.adapter.rank, spec.adapter.alpha, spec.adapter.dora) == (2, 8, True)
    assert spec_of(tiny_folder, tmp_path, method="full").student.resolved.adapter is None
