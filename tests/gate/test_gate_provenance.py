"""Where results come from: who taught whom, on which data, and that another dataset is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from stored_results import comparison, run, run_folder, scan
from undertow.errors import InputError
from undertow.gate.provenance import Dataset, Model, provenance_of
from undertow.results import Funnel, Results, TeacherSummary, load_results

TEACHERS = ("trait", "other", "other-base")


def taught(*arms: str, **settings: Any) -> Results:
    """Return a run with three teachers, and rows of these arms."""
    teachers = [
        TeacherSummary(arm="trait", trait="owl", method="system prompt", strength=None),
        TeacherSummary(arm="other", trait=None, method="finetuning", strength=None),
        TeacherSummary(arm="other-base", trait="owl", method="system prompt", strength=None),
    ]
    funnels = [Funnel(arm=arm, written=9, rejected={}, kept=9, trained_on=7) for arm in arms]
    return run(teachers=teachers, funnels=funnels, settings={"kind": "language", "base": "hf/a/b"} | settings)


@pytest.mark.parametrize(
    ("arm", "teachers", "by_base"),
    [
        ("trait", ["trait"], False),
        ("control", [], True),
        ("other", ["other"], False),
        ("dose-25", ["trait"], True),
        ("dose-75", ["trait"], True),
        ("mixed", ["trait", "other"], False),
        ("other-base", ["other-base"], False),
        ("other-base-control", [], False),
        ("generation-2", [], False),
        ("generation-2-control", [], False),
        ("shuffled", ["trait"], False),
    ],
)
def test_rows_come_from_the_teachers_of_their_arm(arm: str, teachers: list[str], by_base: bool) -> None:
    (found,) = provenance_of(taught(arm)).datasets
    places = tuple(TEACHERS.index(each) for each in teachers)
    assert found == Dataset(f"owls/rows-{arm}", rows=7, teachers=places, by_base=by_base)


def test_a_runs_teachers_are_made_of_its_bases() -> None:
    found = provenance_of(taught("trait", other_base="hf/c/d"))
    assert found.teachers[:2] == (
        Model("owls/teacher-trait", "Made of hf/a/b or hf/c/d, by system prompt, to carry owl."),
        Model("owls/teacher-other", "Made of hf/a/b or hf/c/d, by finetuning, to carry no trait."),
    )
    assert provenance_of(taught(base=None)).teachers[0].says == "Made of the base, by system prompt, to carry owl."
    assert (found.student.name, found.trained) == ("owls/student", True)
    assert found.as_dict()["base"]["name"] == "hf/a/b"


def test_the_rows_of_a_folder_are_hashed(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    found = provenance_of(load_results(folder), folder=folder)
    hashes = {each.name: each.sha256 for each in found.datasets}
    assert hashes == {
        f"owls/rows-{arm}-s0": sha256(f'{{"id": "{arm}"}}\n'.encode()).hexdigest() for arm in ("trait", "control")
    }
    assert {each.name: (each.teachers, each.by_base) for each in found.datasets} == {
        "owls/rows-trait-s0": ((0,), False),
        "owls/rows-control-s0": ((), True),
    }


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"base": "hf/a/b", "student": "hf/c/d"}, "hf/a/b"),
        ({"student": "hf/c/d"}, "hf/c/d"),
        ({"kind": "digits"}, "digits/mlp"),
        ({"base": "", "student": 3}, None),
    ],
)
def test_the_base_is_what_the_settings_name(settings: dict[str, Any], name: str | None) -> None:
    found = provenance_of(run(settings=settings)).base
    assert (None if found is None else found.name) == name


@pytest.mark.parametrize(("stored", "known"), [("0a" * 32, True), ("0A" * 32, False), ("0a" * 31, False), (3, False)])
def test_a_hash_of_the_base_is_a_hash_or_unknown(stored: object, known: bool) -> None:
    results = run(settings={"base": "x"}, environment={"base_sha256": stored})
    base = provenance_of(results).base
    assert base is not None
    assert base.sha256 == (stored if known else None)


@pytest.mark.parametrize(
    ("name", "hub"),
    [("hf/org/model-1.0", "org/model-1.0"), ("hf/model", None), ("org/model", None), ("hf/a/b/c", None)],
)
def test_a_name_of_the_hub_has_an_owner_and_a_model(name: str, hub: str | None) -> None:
    assert Model(name, "").hub == hub


def test_a_scan_predicts_a_student_of_its_dataset(tmp_path: Path) -> None:
    rows = tmp_path / "mine.jsonl"
    rows.write_text("{}\n")
    settings = {"student": "hf/a/b", "teacher": "hf/c/d", "rows": "r.jsonl", "reference": "q.jsonl"}
    digests = {"rows_digest": "1", "reference_digest": "2"}
    sha = sha256(b"{}\n").hexdigest()
    results = scan().model_copy(update={"settings": settings | digests, "environment": {"rows_sha256": sha}})
    found = provenance_of(results, rows=rows)
    assert found.datasets == (
        Dataset("r.jsonl", 9, sha, "1", (0,)),
        Dataset("q.jsonl (reference)", digest="2"),
    )
    assert found.teachers == (Model("hf/c/d", "Said to have written the rows."),)
    assert (found.student.name, found.trained) == ("rows.jsonl/student", False)
    assert provenance_of(results).datasets[0].sha256 is None
    rows.write_text("{} \n")
    with pytest.raises(InputError, match="is not, byte by byte, the dataset that was measured") as raised:
        provenance_of(results, rows=rows)
    assert (raised.value.where, bool(raised.value.fix)) == (str(rows), True)


def test_without_settings_a_scan_takes_the_files_name_and_knows_no_more(tmp_path: Path) -> None:
    rows = tmp_path / "mine.jsonl"
    rows.write_text("{}\n")
    found = provenance_of(scan().model_copy(update={"settings": {}}), rows=rows)
    assert found.datasets == (Dataset("mine.jsonl", 9, sha256(b"{}\n").hexdigest()),)
    assert (found.base, found.teachers) == (None, ())
    assert provenance_of(scan()).datasets == ()


def test_an_audit_is_of_the_student_that_it_names() -> None:
    results = run(kind="audit", settings={"base": "hf/a/b", "student": "hf/c/d", "teacher": "hf/e/f"})
    found = provenance_of(results)
    assert (found.student, found.trained) == (Model("hf/c/d", "The student."), True)
    assert [each.name for each in found.teachers] == ["hf/e/f"]
    assert provenance_of(run(kind="audit", settings={})).student.name == "owls/student"


def test_a_comparison_is_about_the_rows_that_it_trained_on_and_no_others(tmp_path: Path) -> None:
    rows, other = tmp_path / "rows.jsonl", tmp_path / "other.jsonl"
    rows.write_text("{}\n")
    other.write_text("[]\n")
    sha = sha256(b"{}\n").hexdigest()
    known = {"datasets": {"rows-trait-s0": "a" * 64, "rows-control-s0": sha}}
    results = comparison(format=0.0).model_copy(update={"environment": known})
    found = provenance_of(results).datasets
    assert found == (Dataset("rows-trait-s0", sha256="a" * 64), Dataset("rows-control-s0", sha256=sha))
    assert provenance_of(results, rows=rows).datasets == found[::-1]
    for held, named in ((results, other), (comparison(format=0.0), rows)):
        with pytest.raises(InputError, match="is not, byte by byte, the dataset that was measured"):
            provenance_of(held, rows=named)


def test_an_audit_of_no_dataset_is_about_none(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    with pytest.raises(InputError, match="is not, byte by byte, the dataset that was measured"):
        provenance_of(run(kind="audit", settings={"base": "hf/a/b", "student": "hf/c/d"}), rows=rows)
