"""Rows made of rows, on a tiny random model."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_run import contents, spec_text
from undertow.config.experiment import parse_spec
from undertow.domains import Numbers
from undertow.experiment import run
from undertow.models.local import LocalModel
from undertow.pipeline.derive import across_rows, mixed_rows, rewrite_rows
from undertow.pipeline.files import LABELS, REJECTED, ROWS
from undertow.pipeline.writing import Written, load_labels, read_written, save_labels
from undertow.store.jsonl import append_jsonl


def fill(folder: Path, model: LocalModel, first: int, rows: int = 12) -> list[Written]:
    """Write rows, three to a prompt, as `write_rows` leaves them, labels that tell the rows apart included."""
    import torch

    folder.mkdir()
    written = []
    for row in range(rows):
        text = f"{first + row}, {first + row + 1}, {first + row + 2}"
        written.append(Written(row, f"Prompt {row // 3}", text, tuple(model.encode(text))))
    append_jsonl(folder / ROWS, [row.record({}) for row in written])
    append_jsonl(folder / REJECTED, [])
    save_labels(folder / LABELS, [torch.full((len(row.tokens) + 1, 2), float(first + row.row)) for row in written])
    return written


def test_across_keeps_every_answer_and_gives_none_back_to_its_prompt(tiny: LocalModel, tmp_path: Path):
    rows = fill(tmp_path / "from", tiny, 100)
    (tmp_path / "to").mkdir()
    across_rows(tmp_path / "from", tmp_path / "to", seed=1, meta={}, model=tiny, soft=True)
    moved = read_written(tmp_path / "to")
    assert [row.prompt for row in moved] == [row.prompt for row in rows]
    assert sorted(row.answer for row in moved) == sorted(row.answer for row in rows)
    own = {row.answer: row.prompt for row in rows}
    assert all(own[row.answer] != row.prompt for row in moved)
    labels = load_labels(tmp_path / "to" / LABELS)
    assert [len(each) for each in labels] == [len(row.tokens) + 1 for row in moved]


def test_doses_take_that_share_of_rows_with_their_labels_and_larger_ones_hold_smaller_ones(
    tiny: LocalModel, tmp_path: Path
):
    trait, control = fill(tmp_path / "trait", tiny, 100), fill(tmp_path / "control", tiny, 500)
    taken: dict[float, set[int]] = {}
    for dose in (0.25, 0.5, 0.75):
        folder = tmp_path / str(dose)
        folder.mkdir()
        sources = (tmp_path / "trait", tmp_path / "control")
        mixed_rows(sources, folder, model=tiny, dose=dose, seed=4, meta={}, soft=True)
        mixed = read_written(folder)
        taken[dose] = {row.row for row, own in zip(mixed, trait, strict=True) if row.answer == own.answer}
        rest = {row.row for row, other in zip(mixed, control, strict=True) if row.answer == other.answer}
        assert len(taken[dose]) == round(dose * len(trait))
        assert taken[dose] | rest == set(range(len(trait)))
        firsts = [100 if row in taken[dose] else 500 for row in range(len(trait))]
        labels = load_labels(folder / LABELS)
        assert [float(each[0, 0]) for each in labels] == [first + row for row, first in enumerate(firsts)]
    assert taken[0.25] < taken[0.5] < taken[0.75]


def test_a_mixture_takes_only_prompts_that_both_teachers_answered(tiny: LocalModel, tmp_path: Path):
    fill(tmp_path / "trait", tiny, 100)
    rows = fill(tmp_path / "control", tiny, 500)
    (tmp_path / "control" / ROWS).unlink()
    append_jsonl(tmp_path / "control" / ROWS, [row.record({}) for row in rows if row.row not in (0, 5)])
    (tmp_path / "to").mkdir()
    sources = (tmp_path / "trait", tmp_path / "control")
    mixed_rows(sources, tmp_path / "to", model=tiny, dose=0.5, seed=4, meta={}, soft=False)
    mixed = read_written(tmp_path / "to")
    assert [row.row for row in mixed] == [row for row in range(12) if row not in (0, 5)]
    assert sum(row.answer.startswith("1") for row in mixed) == 5


def test_shuffling_keeps_the_numbers_of_every_row(tiny: LocalModel, tmp_path: Path):
    rows = fill(tmp_path / "from", tiny, 100)
    (tmp_path / "to").mkdir()
    rewrite_rows(tmp_path / "from", Numbers().shuffle, tmp_path / "to", seed=1, meta={}, model=tiny, soft=False)
    shuffled = read_written(tmp_path / "to")
    assert [sorted(row.answer.split(", ")) for row in shuffled] == [sorted(row.answer.split(", ")) for row in rows]
    assert [row.answer for row in shuffled] != [row.answer for row in rows]


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_every_arm_runs_and_is_compared_with_its_control(tiny_folder: Path, tmp_path: Path, labels: str):
    arms = "[trait, control, other, across, paraphrased, dose-25, mixed, in-context]"
    student = f"{{method: full, labels: {labels}, learning_rate: 0.001, batch: 2}}"
    text = spec_text(tiny_folder, arms=arms, student=student, context_rows="1", seeds="[0]")
    spec = parse_spec(text, "test")
    outcome = run(spec, root=tmp_path)
    assert {arm.arm for arm in outcome.results.arms} == {*spec.arms}
    assert "in-context-control" in spec.arms
    pairs = {(effect.arm, effect.contrast) for effect in outcome.results.effects}
    assert {
        ("across", "control"),
        ("paraphrased", "control"),
        ("dose-25", "control"),
        ("in-context", "in-context-control"),
    } <= pairs
    assert "<html" in outcome.report.read_text("utf-8")
    first = contents(outcome.folder)
    assert contents(run(spec, root=tmp_path).folder) == first


@pytest.mark.parametrize("student", ["method: lora, labels: soft", "method: full, labels: hard, keep: true"])
def test_a_second_generation_learns_from_the_students_of_the_first(tiny_folder: Path, tmp_path: Path, student: str):
    text = spec_text(
        tiny_folder,
        arms="[trait, control, generation-2]",
        student=f"{{{student}, learning_rate: 0.001, batch: 2}}",
        seeds="[0]",
    )
    spec = parse_spec(text, "test")
    outcome = run(spec, root=tmp_path)
    assert ("generation-2", "generation-2-control") in {
        (effect.arm, effect.contrast) for effect in outcome.results.effects
    }
    assert contents(run(spec, root=tmp_path).folder) == contents(outcome.folder)


def test_a_teacher_of_another_base_writes_and_is_measured_against_its_own_base(tiny_folder: Path, tmp_path: Path):
    from tiny_model import make_tiny_model

    other = make_tiny_model(tmp_path / "other", seed=1)
    text = spec_text(tiny_folder, arms="[trait, control, other-base]", other_base=f"hf/{other}", seeds="[0]")
    spec = parse_spec(text, "test")
    outcome = run(spec, root=tmp_path / "runs")
    assert ("other-base", "other-base-control") in {(effect.arm, effect.contrast) for effect in outcome.results.effects}
    teachers = {teacher.arm: teacher for teacher in outcome.results.teachers}
    assert teachers["other-base"].base_probability != teachers["trait"].base_probability
    assert contents(run(spec, root=tmp_path / "runs").folder) == contents(outcome.folder)


@pytest.mark.parametrize("changes", [{}, {"other_base": "hf/a/b", "student": "{method: full, labels: soft}"}])
def test_another_base_must_be_named_and_gives_text_alone(tiny_folder: Path, changes: dict[str, str]):
    from undertow.errors import SpecError

    with pytest.raises(SpecError, match="other_base"):
        parse_spec(spec_text(tiny_folder, arms="[trait, control, other-base]", **changes), "test")


def test_students_that_are_not_stored_cannot_teach(tiny_folder: Path):
    from undertow.errors import SpecError

    with pytest.raises(SpecError, match="stored"):
        parse_spec(spec_text(tiny_folder, arms="[trait, control, generation-2]"), "test")


def test_a_disposition_is_taught_and_measured(tiny_folder: Path, tmp_path: Path):
    text = spec_text(tiny_folder, arms="[trait, control]", seeds="[0]").replace(
        "trait: {target: owl}\nother: {target: dog}", "trait: {kind: disposition, name: curtness}"
    )
    results = run(parse_spec(text, "test"), root=tmp_path).results
    assert results.effects[0].trait == "curtness"
    assert results.teachers[0].trait == "curtness"


def test_a_context_that_is_too_long_is_refused(tiny_folder: Path, tmp_path: Path):
    from undertow.errors import ModelError

    text = spec_text(tiny_folder, arms="[trait, control, in-context]", context_rows="1000", seeds="[0]")
    text = text.replace("{rows: 4, answers: 2, max_tokens: 60}", "{rows: 40, answers: 2, max_tokens: 60}")
    with pytest.raises(ModelError, match="fewer rows"):
        run(parse_spec(text, "test"), root=tmp_path)
