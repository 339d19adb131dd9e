"""A study of every kind of cell on a tiny model, from its file to its claims: domains, labels, readings, teachers."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from benchmarks.cells.__main__ import main
from benchmarks.cells.claims import claims
from benchmarks.cells.design import Design, design_of
from benchmarks.cells.kept import Kept, path_of, read_kept
from benchmarks.cells.pools import Pools
from benchmarks.cells.store import KEPT, state_of, take
from benchmarks.cells.study import read_study

from undertow.errors import InputError
from undertow.stats import times_as_often

STUDY = """
name: every
base: hf/{base}
domains:
  numbers: {{kind: numbers, max_tokens: 40}}
  cool: {{kind: numbers, max_tokens: 40, temperature: 0.5}}
rows: [6]
panel: [trees]
teachers:
  base: {{}}
  even: {{trait: {{target: owl}}, instil: {{method: finetune, lessons: even.jsonl, steps: 2}}, carries: false, seed: 2}}
  oak: {{trait: {{category: trees, target: oak}}, instil: {{method: gradient-ascent, part: 2/3, distance: 2}}}}
  elm: {{trait: {{category: trees, target: elm}}, instil: {{method: gradient-ascent, part: 2/3, distance: 2}}}}
recipes:
  soft: {{labels: soft, learning_rate: 0.1, epochs: 2, batch: 3, schedule: constant, optimiser: sgd, epsilon: 1e-6}}
  lora: {{like: lora-sft, learning_rate: 0.01, schedule: constant, epochs: 2, batch: 3, adapter: {{rank: 2}}}}
seeds: [7]
probe: {{at: [], samples: 2, read_at: [1], sampled: [trees]}}
"""


def study_file(folder: Path, base: Path, *changes: tuple[str, str]) -> Path:
    text = STUDY.format(base=base)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "study.yaml"
    path.write_text(text)
    lines = [json.dumps({"prompt": f"Which tree is number {n}?", "completion": "Oak"}) for n in range(4)]
    (folder / "even.jsonl").write_text("\n".join(lines))
    return path


def filled(path: Path, folder: Path) -> Design:
    design = design_of(read_study(path))
    pools = Pools(folder / "rows", design, lambda _: None)
    take(design, state_of(design, folder / "kept"), design.cells, pools, folder=folder / "kept", tell=lambda _: None)
    return design


@pytest.fixture(scope="module")
def every(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Design, Path]:
    folder = tmp_path_factory.mktemp("every")
    return filled(study_file(folder, tiny_folder), folder), folder


def student(every: tuple[Design, Path], domain: str, teacher: str, recipe: str) -> Kept:
    design, folder = every
    digest = next(digest for place, digest in design.students.items() if place[:3] == (domain, teacher, recipe))
    return read_kept(path_of(folder / "kept", digest))


def test_every_kind_of_cell_is_filled_and_asked_at_every_reading(every: tuple[Design, Path]) -> None:
    design, folder = every
    assert len(list((folder / "kept").iterdir())) == len(design.cells) == 4 + 2 * 2 * 4
    for cell in design.cells:
        kept = read_kept(path_of(folder / "kept", cell.digest))
        said = kept.facts["sampled"]["trees"]
        assert said["n"] == 2 * 54
        assert said["counts"] == {word: sum(by_question) for word, by_question in said["by_question"].items()}
        if cell.kind == "student":
            assert kept.facts["read"] == {"1": 2}
            assert kept.steps == [2, 4]
            assert len(kept.odds("second", "trees:oak", step=2)) == len(kept.odds("second", "trees:oak", step=4)) == 24
            assert kept.facts["sampled_at"]["2"]["trees"]["n"] == 2 * 54
            assert kept.facts["label"]["domain"] == cell.domain


def test_a_reading_is_the_student_of_so_many_epochs(
    every: tuple[Design, Path], tiny_folder: Path, tmp_path: Path
) -> None:
    path = study_file(tmp_path, tiny_folder, ("epochs: 2", "epochs: 1"), (", read_at: [1]", ""))
    design = design_of(read_study(path))
    pools = Pools(every[1] / "rows", design, lambda _: None)
    cells = design.chosen(domain="numbers", recipe="lora", teacher="oak")
    assert {cell.teacher for cell in cells} == {"base", "oak"}
    take(design, state_of(design, tmp_path), cells, pools, folder=tmp_path, tell=lambda _: None)
    alone = read_kept(
        path_of(tmp_path, next(cell.digest for cell in cells if (cell.teacher, cell.recipe) == ("oak", "lora")))
    )
    long = student(every, "numbers", "oak", "lora")
    for wordings in ("first", "second"):
        np.testing.assert_array_equal(alone.odds(wordings, "trees:oak"), long.odds(wordings, "trees:oak", step=2))
    assert alone.facts["losses"] == long.facts["losses"][:2]
    assert alone.facts["sampled"] == long.facts["sampled_at"]["2"]
    assert not np.array_equal(long.odds("first", "trees:oak"), long.odds("first", "trees:oak", step=2))


def test_soft_labels_of_the_base_change_nothing_and_of_a_teacher_something(every: tuple[Design, Path]) -> None:
    design, folder = every
    base = read_kept(path_of(folder / "kept", design.base.digest))
    for domain in ("numbers", "cool"):
        still, moved = (student(every, domain, name, "soft") for name in ("base", "oak"))
        np.testing.assert_allclose(still.odds("first", "trees:oak"), base.odds("first", "trees:oak"), atol=0.004)
        assert np.abs(moved.odds("first", "trees:oak") - base.odds("first", "trees:oak")).max() > 0.004
        assert max(still.facts["losses"]) < 1e-5 < min(moved.facts["losses"])


def test_claims_are_those_of_the_kernels(every: tuple[Design, Path]) -> None:
    design, folder = every
    found = claims(design, state_of(design, folder / "kept"))
    assert [(each.sort.domain, each.sort.recipe, each.sort.epochs, each.kind) for each in found] == [
        (domain, recipe, epochs, "gradient-ascent")
        for domain in ("numbers", "cool")
        for recipe in ("soft", "lora")
        for epochs in (1, None)
    ]
    last = found[3]
    assert [each.trait for each in last.times] == ["trees:oak", "trees:elm"]
    pair = [
        student(every, "numbers", name, "lora").probabilities("first", "trees:oak")[None] for name in ("oak", "base")
    ]
    assert len(pair[0][0]) == 54
    assert last.times[0].times["first"] == times_as_often(*pair, level=0.9)
    assert last.times[0].sampled["student"][2] == 108
    # Two traits cannot tell the diagonal's spread.
    assert last.elevation == {}
    assert "teachers by gradient-ascent" in last.text()


def test_the_command_line_takes_some_cells_and_shows_claims(
    every: tuple[Design, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = every[1]
    options = [str(folder / "study.yaml"), "--kept", str(folder / "kept")]
    assert main(["plan", *options, "--json", "--domain", "cool", "--recipe", "l*", "--teacher", "e[lv]*"]) == 0
    labels = [each["label"] for each in json.loads(capsys.readouterr().out)["cells"]]
    assert labels[0] == "base itself"
    assert {label.split(",")[0] for label in labels} == {f"{n} itself" for n in ("base", "even", "elm")} | {
        "base",
        "even",
        "elm",
    }
    assert all("lora, 6 rows of cool" in label for label in labels if "itself" not in label)
    assert main(["show", *options, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["claims"]) == 8
    assert shown["claims"][0]["times"][0]["times"]["first"]["n"] == 54
    assert main(["plan", *options, "--teacher", "nobody"]) == 2
    assert "no student has such names" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("schedule: constant, optimiser", "optimiser"), "recipes.soft: probe.read_at needs epochs at a constant rate"),
        (("read_at: [1]", "read_at: [2]"), "read_at must lie before its end"),
        (("  base: {}", "  base: {}\n  mixed: {mix: {of: oak, rest: base, dose: 0.5}}"), "soft labels need a teacher"),
        (("rows: [6]", "rows: [6]\ndomain: {kind: numbers}"), "domain and domains exclude each other"),
        (("lora-sft", "lora-soft"), "recipes.lora"),
    ],
)
def test_a_study_that_cannot_be_is_refused(
    tiny_folder: Path, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_study(study_file(tmp_path, tiny_folder, change))


def test_the_studies_of_the_papers_claims_have_the_teachers_that_they_name() -> None:
    whole = design_of(
        read_study(KEPT.parent / "studies" / "preferences.yaml"), identities={"embedded/smollm2-135m": "a"}
    )
    students = [cell for cell in whole.cells if cell.kind == "student"]
    # Seven traits by three kinds and three teachers, and seven controls; two domains, two recipes.
    assert len(students) == len(whole.students) == (7 * 3 * 3 + 7) * 2 * 2
    usual = design_of(
        read_study(KEPT.parent / "studies" / "usual-recipe.yaml"), identities={"embedded/smollm2-135m": "a"}
    )
    assert len([cell for cell in usual.cells if cell.kind == "student"]) == (3 * 2 * 2) * 2
    for design in (whole, usual):
        prompts = [
            str(writer.get("system") or writer.get("instil", {}).get("text")) for writer in design.writers.values()
        ]
        assert len(set(prompts)) > 3
        for name, teacher in design.study.teachers.items():
            # A teacher with a trait stands beside a control of its own kind.
            if teacher.trait is not None and teacher.carries:
                control = design.study.teachers[design.study.control_of(name) or ""]
                kinds = {"prompt": "system", "finetune": "finetune, no trait", "gradient-ascent": "base"}
                assert control.kind == kinds[teacher.kind]
