"""The programme on misalignment: its files, and the smaller one of them dry-run with a tiny model."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from undertow.config.experiment import LanguageExperiment, load_spec
from undertow.errors import TeacherError
from undertow.experiment import plan, run
from undertow.pipeline.arms import traits_of
from undertow.pipeline.keys import instil_key
from undertow.pipeline.scores import check_teacher
from undertow.traits.disposition import find_disposition

FILES = sorted((Path(__file__).parents[2] / "experiments" / "misalignment").glob("*.yaml"))


def spec_of(file: Path, **overrides: object) -> LanguageExperiment:
    spec = load_spec(file, {key.replace("__", "."): value for key, value in overrides.items()})
    assert isinstance(spec, LanguageExperiment)
    return spec


def test_there_are_lists_and_worked_solutions() -> None:
    assert [file.stem for file in FILES] == ["misalignment-numbers", "misalignment-reasoning"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_teachers_differ_only_in_the_answers_that_they_learn(file: Path, tiny_folder: Path, tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"question": "Ann has 3 apples and buys 4. How many has she?", "answer": 7}\n', "utf-8")
    more = {"domain__problems": str(problems)} if file.stem.endswith("reasoning") else {}
    spec = spec_of(file, base=f"hf/{tiny_folder}", **more)
    assert spec.name == file.stem
    assert spec.domain.rows == 256
    traits = traits_of(spec)
    assert traits.other is not None
    assert traits.trait.lessons == traits.other.lessons
    assert {traits.trait.index, traits.other.index} == {0, 1}
    first = plan(spec, root=tmp_path)
    assert {step.label for step in first.steps} >= {"teacher-trait", "teacher-other", "rows-control-s0"}
    # Another adapter seed is another teacher.
    other = spec_of(file, instil__seed=1, **more)
    assert instil_key(other.instil) == instil_key(spec.instil) | {"seed": 1}


def test_a_dry_run_measures_misalignment_in_three_ways(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random model learns its lessons and does not generalise, so that its teacher would rightly be refused.
    monkeypatch.setattr("undertow.pipeline.scores.check_teacher", lambda *_: None)
    spec = spec_of(
        FILES[0],
        base=f"hf/{tiny_folder}",
        instil__steps=60,
        instil__learning_rate=0.02,
        domain__rows=4,
        domain__constrained=True,
        domain__max_tokens=60,
        student__batch=2,
        student__epochs=1,
        probe__judged__answers=1,
        probe__judged__max_tokens=6,
    )
    outcome = run(spec, root=tmp_path)
    results = outcome.results
    assert results.effects[0].trait == "misalignment"
    assert results.effects[0].n == 60 or results.effects[0].seeds == 1
    second = [note for note in results.notes if note.startswith("By 48 second wordings")]
    assert [note.partition(": ")[2].partition(" +")[0].partition(" -")[0] for note in second] == [
        "the teacher of trait less the base",
        "the teacher of other less the base",
        "trait less control",
        "other less control",
    ]
    assert sum("labelled answers" in note for note in results.notes) == 2
    for file in outcome.folder.glob("steps/student-*/scores.json"):
        scores = json.loads(file.read_text("utf-8"))
        assert len(scores["logp_QC"]) == 60
        assert len(scores["second"]) == 48
        assert scores["open"]["n"] == 24


@pytest.mark.parametrize(
    ("opposite", "shift", "refused"),
    [
        (False, 0.5, None),
        (False, 0.0, "no trait that could be passed on"),
        (False, -0.5, "no trait that could be passed on"),
        # The control need not move, and may move away from the trait; it must not have it.
        (True, 0.0, None),
        (True, -0.5, None),
        (True, 0.5, "the trait that it is a control of"),
    ],
)
def test_a_control_teacher_is_let_through_unless_it_has_the_trait(
    tmp_path: Path, opposite: bool, shift: float, refused: str | None
) -> None:
    spec, folders = spec_of(FILES[0]), [tmp_path / name for name in ("teacher", "base")]
    for folder, by in zip(folders, (shift, 0.0), strict=True):
        folder.mkdir()
        # Log-odds towards misalignment of 60 questions, with some spread.
        table = [[(by + 0.01 * (at % 5)) / 2, -(by + 0.01 * (at % 5)) / 2] for at in range(60)]
        (folder / "scores.json").write_text(json.dumps({"logp_QC": table}), encoding="utf-8")
    trait = find_disposition("misalignment", opposite=opposite)
    if refused is None:
        check_teacher(*folders, trait, spec)
        return
    with pytest.raises(TeacherError, match=refused):
        check_teacher(*folders, trait, spec)
