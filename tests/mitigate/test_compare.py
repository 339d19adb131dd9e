"""A whole comparison on a tiny model: ordinary students are the run's own, a second comparison trains nothing."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from undertow.cli import main
from undertow.config.experiment import parse_spec
from undertow.errors import InputError, StoreError
from undertow.experiment import run
from undertow.mitigate import COMPARED, METHODS, compare, missing_students
from undertow.probes.odds import log_odds
from undertow.traits.find import find_trait


def spec_text(folder: Path, **changes: str) -> str:
    parts = {
        "instil": "{method: finetune, steps: 60, learning_rate: 0.02}",
        "arms": "[trait, control]",
        "student": "{method: full, labels: hard, optimiser: sgd, learning_rate: 0.05, batch: 2}",
        "domain": "{rows: 6, answers: 2, max_tokens: 60}",
        "probe": "{every: 0}",
        "seeds": "[0, 1]",
        **changes,
    }
    return f"name: tiny\nbase: hf/{folder}\ntrait: {{target: owl}}\n" + "\n".join(
        f"{key}: {value}" for key, value in parts.items()
    )


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def made(tiny_folder: Path, tmp_path: Path, **changes: str) -> Path:
    return run(parse_spec(spec_text(tiny_folder, **changes), "test"), root=tmp_path / "runs").folder


def test_every_method_is_compared_with_the_runs_own_students(tiny_folder: Path, tmp_path: Path) -> None:
    source = made(tiny_folder, tmp_path)
    total, missing, as_many = missing_students(source, COMPARED, root=tmp_path / "m")
    # Two seeds: a base that is only asked, and for every method a student of either arm.
    assert as_many == pytest.approx(2 * (0.5 + 2 * (1 + sum(METHODS[name].takes for name in COMPARED))))
    assert total == missing == 2 * (1 + 2 * (1 + len(COMPARED)))
    outcome = compare(source, root=tmp_path / "m")
    results = outcome.results
    assert results.kind == "mitigate"
    assert [each.method for each in results.mitigation] == ["none", *COMPARED]
    assert results.mitigation[0].left is None
    assert results.mitigation[0].utility is None
    assert {each.contrast for each in results.effects} == set(COMPARED)
    for arm in ("trait", "control"):
        for seed in (0, 1):
            (own,) = source.glob(f"steps/student-{arm}-s{seed}--*/scores.json")
            (again,) = outcome.folder.glob(f"steps/none-{arm}-s{seed}--*/value.json")
            logp_QC = np.array(json.loads(own.read_text())["logp_QC"])
            index = find_trait(parse_spec(spec_text(tiny_folder), "test").trait).index
            np.testing.assert_allclose(json.loads(again.read_text())["odds"], log_odds(logp_QC, index), atol=1e-6)
    files = {file.parent.name.partition("--")[0]: file for file in source.glob("steps/rows-*/rows.jsonl")}
    assert results.environment["datasets"] == {
        label: sha256(file.read_bytes()).hexdigest() for label, file in files.items()
    }
    assert missing_students(source, COMPARED, root=tmp_path / "m") == (total, 0, 0)
    stored = (outcome.folder / "results.json").read_bytes()
    assert (compare(source, root=tmp_path / "m").folder / "results.json").read_bytes() == stored
    page = outcome.report.read_text(encoding="utf-8")
    assert "unlearn" in page
    # Old spellings name the same students: steps of earlier comparisons are found again.
    assert list(outcome.folder.glob("steps/subtract-trait-s0--*"))
    assert missing_students(source, ("leash", "subtract"), root=tmp_path / "m")[1] == 0


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (("magic",), "no mitigation is called"),
        (("none",), "compared anyhow"),
        (("other-base",), "another model"),
        (("paraphrase",), "--by"),
        ((), "once each"),
    ],
)
def test_methods_that_cannot_be_compared(
    tiny_folder: Path, tmp_path: Path, methods: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        compare(made(tiny_folder, tmp_path), methods, root=tmp_path / "m")


def test_rows_are_written_anew_by_another_model(tiny_folder: Path, tmp_path: Path) -> None:
    from tiny_model import make_tiny_model

    other = make_tiny_model(tmp_path / "other", seed=5)
    source = made(tiny_folder, tmp_path)
    methods = ("own-base", "other-base", "paraphrase")
    outcome = compare(source, methods, by=f"hf/{other}", root=tmp_path / "m")
    assert [each.method for each in outcome.results.mitigation] == ["none", *methods]
    again = make_tiny_model(tmp_path / "again", seed=6)
    planned = missing_students(source, methods, by=f"hf/{again}", root=tmp_path / "m")
    assert planned[:2] == (18, 8)


def test_runs_that_cannot_be_compared_on(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run folder"):
        compare(tmp_path, root=tmp_path / "m")
    soft = made(tiny_folder, tmp_path, student="{method: full, labels: soft, learning_rate: 0.001, batch: 2}")
    with pytest.raises(InputError, match="not on the text of the rows"):
        compare(soft, root=tmp_path / "m")
    one = made(tiny_folder, tmp_path, seeds="[3]")
    with pytest.raises(InputError, match="one seed"):
        compare(one, root=tmp_path / "m")


def test_an_unfinished_run_is_said(tiny_folder: Path, tmp_path: Path) -> None:
    source = made(tiny_folder, tmp_path)
    (rows,) = source.glob("steps/rows-control-s1--*")
    rows.rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="lacks 1 of the steps"):
        compare(source, root=tmp_path / "m")


def test_a_dry_run_says_how_long_and_does_nothing(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = made(tiny_folder, tmp_path)
    timing = {f"student-{arm}-s{seed}": 60.0 for arm in ("trait", "control") for seed in (0, 1)}
    (source / "timing.json").write_text(json.dumps(timing), encoding="utf-8")
    call = ["mitigate", "--compare", str(source), "--method", "freeze", "--runs", str(tmp_path / "m"), "--dry-run"]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "10 of 10 students" in said
    # Two bases that are only asked count as one student, and each is held to its task besides: 9 * 60 s * 1.5.
    assert "about 13 min 30 s" in said
    assert not (tmp_path / "m").exists()
    (source / "timing.json").unlink()
    assert main(call) == 0
    assert "about" not in capsys.readouterr().out


ADAPTED = "{recipe: lora-sft, learning_rate: 0.02, batch: 2, epochs: 1, lora: {rank: 2}}"


def test_students_with_adapters_are_compared_with_the_runs_own(tiny_folder: Path, tmp_path: Path) -> None:
    source = made(tiny_folder, tmp_path, student=ADAPTED)
    methods = ("format", "kl-penalty", "project", "unlearn", "steer")
    outcome = compare(source, methods, root=tmp_path / "m")
    assert [each.method for each in outcome.results.mitigation] == ["none", *methods]
    for arm in ("trait", "control"):
        (own,) = source.glob(f"steps/student-{arm}-s0--*/scores.json")
        (again,) = outcome.folder.glob(f"steps/none-{arm}-s0--*/value.json")
        logp_QC = np.array(json.loads(own.read_text())["logp_QC"])
        index = find_trait(parse_spec(spec_text(tiny_folder), "test").trait).index
        np.testing.assert_allclose(json.loads(again.read_text())["odds"], log_odds(logp_QC, index), atol=1e-6)
        found = [
            json.loads(path.read_text())["odds"] for path in outcome.folder.glob(f"steps/*-{arm}-s0--*/value.json")
        ]
        # Every method changed something.
        assert len({tuple(each) for each in found}) == len(found)
    assert any("lora-sft" in note for note in outcome.results.notes)
    with pytest.raises(InputError, match="adapters"):
        compare(source, ("freeze",), root=tmp_path / "m")
    assert missing_students(source, COMPARED, root=tmp_path / "n")[0] == 2 * (1 + 2 * len(COMPARED))


def test_a_student_of_ones_own_rows_is_trained_by_a_recipe(
    tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from undertow.models.local import load_adapter, load_model

    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "\n".join(json.dumps({"prompt": f"Go on with {at}.", "completion": f"{at + 1}, {at + 2}"}) for at in range(8))
    )
    line = f"mitigate {rows} --with kl-penalty --student hf/{tiny_folder} --quiet --recipe lora-sft --epochs 0.5 "
    assert main([*line.split(), "--out", str(tmp_path / "student"), "--dry-run"]) == 0
    assert "LoRA (rank 16, alpha 32)" in capsys.readouterr().out
    assert main([*line.split(), "--out", str(tmp_path / "student")]) == 0
    said = capsys.readouterr().out
    assert "LoRA (rank 16, alpha 32)" in said
    assert "epochs 0.5" in said
    assert f"hf/{tiny_folder}:{tmp_path / 'student'}" in said
    load_adapter(load_model(f"hf/{tiny_folder}"), tmp_path / "student")
    assert main([*line.split(), "--with", "freeze", "--out", str(tmp_path / "other")]) == 2
    assert not (tmp_path / "other").exists()
