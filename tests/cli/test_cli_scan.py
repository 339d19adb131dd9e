"""`undertow scan` as it is typed: what it prints, its codes, its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calibrations import calibration_file
from undertow.cli import main


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": f"Go on {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(20)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def scan(tiny_folder: Path, tmp_path: Path, rows: Path):
    def call(*more: str, file: Path = rows) -> int:
        where = ["--student", f"hf/{tiny_folder}", "--runs", str(tmp_path / "runs"), "--trait", "curtness"]
        return main(["scan", str(file), *where, *more])

    return call


def test_it_says_what_was_looked_at_and_what_is_predicted(scan, capsys: pytest.CaptureFixture[str]) -> None:
    code = scan("--everything")
    told = capsys.readouterr()
    assert code == 4
    assert told.out.startswith("INCONCLUSIVE")
    assert "20 of 20 measured" in told.out
    assert "curtness:curtness" in told.out
    assert "lists of numbers" in told.out
    assert "report: " in told.out
    assert "%]" in told.err


def test_a_fail_says_what_to_ask_next(
    scan, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = calibration_file(tmp_path / "own.json", f"hf/{tiny_folder}")
    easily = ("--everything", "--quiet", "--smallest-effect", "1e-9", "--level", "0.51", "--calibration", str(own))
    notes: list[str] = []
    for more in ((), ("--baseline", "teacher-inference"), ("--also", "writer")):
        assert scan(*easily, *more) == 1
        told = capsys.readouterr().out
        assert ("next: " in told) is (not more)
        scan(*easily, *more, "--json")
        notes.append("\n".join(json.loads(capsys.readouterr().out)["notes"]))
    assert ["--baseline teacher-inference" in each for each in notes] == [True, False, False]


def test_what_is_not_calibrated_decides_nothing(
    scan, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    easily = ("--everything", "--quiet", "--smallest-effect", "1e-9", "--level", "0.51")
    assert scan(*easily) == 4
    told = capsys.readouterr().out
    assert f"not calibrated for base hf/{tiny_folder} (measured on embedded/smollm2-135m); 2 steps" in told
    assert "By a guess, not a measurement: " in told
    assert "student   by the recipe plain-sgd: SGD on all weights" in told
    own = calibration_file(tmp_path / "own.json", f"hf/{tiny_folder}")
    assert scan(*easily, "--calibration", str(own), "--json") == 1
    record = json.loads(capsys.readouterr().out)
    assert record["scan"]["calibration"] == {"id": "tiny", "tier": "virtual", "not_calibrated": []}
    assert record["settings"]["calibration"]["base"]["name"] == f"hf/{tiny_folder}"


def test_a_recipe_is_obeyed_and_not_calibrated(scan, tiny_folder: Path, tmp_path: Path, capsys) -> None:
    own = calibration_file(tmp_path / "own.json", f"hf/{tiny_folder}")
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nschedule: cosine\nadapter: {rank: 16, alpha: 32}\n", encoding="utf-8")
    found: list[dict[str, dict[str, str]]] = []
    for recipe in ("plain-sgd", "lora-sft", str(mine)):
        assert scan("--json", "--quiet", "--recipe", recipe, "--calibration", str(own)) == 4
        found.append(json.loads(capsys.readouterr().out))
    plain, lora, same = found
    assert "recipe" not in plain["settings"]
    assert plain["findings"] != lora["findings"]
    assert same["findings"] == lora["findings"]
    assert lora["verdict"]["because"].startswith("not calibrated for recipe lora-sft (measured on plain-sgd; differs")
    assert "AdamW on a LoRA adapter of rank 16" in lora["scan"]["recipe"]
    assert any("No size is predicted from gradients of all weights" in note for note in lora["notes"])


def test_a_quick_scan_is_one_in_the_geometry_of_the_recipe(scan, tmp_path: Path, capsys) -> None:
    assert scan("--json", "--quiet", "--recipe", "lora-sft", "--quick") == 4
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"]["because"].startswith("not calibrated for the tier 'gradient-adapter-adamw'")
    assert found["settings"]["tier"]["adapter"].startswith("scale alpha / rank")
    clipped = tmp_path / "clipped.yaml"
    clipped.write_text("optimiser: sgd\nclip: 1.0\n", encoding="utf-8")
    assert scan("--quiet", "--recipe", str(clipped), "--quick") == 2
    assert "clipping shortens its steps by an unknown factor" in capsys.readouterr().err


def test_old_spellings_are_accepted_and_told(scan, capsys: pytest.CaptureFixture[str]) -> None:
    found: list[str] = []
    for words in (("--also", "writer"), ("--baseline", "teacher-inference")):
        scan("--quiet", "--json", *words)
        told = capsys.readouterr()
        found.append(told.out)
        assert ("--also is now called --baseline" in told.err) is (words[0] == "--also")
        assert ("'writer' is now called 'teacher-inference'" in told.err) is (words[1] == "writer")
    assert found[0] == found[1]
    assert scan("--baseline", "likelyhood") == 2
    assert "did you mean 'likelihood'?" in capsys.readouterr().err


def test_json_is_the_results_alone(scan, capsys: pytest.CaptureFixture[str]) -> None:
    code = scan("--json", "--quiet")
    told = capsys.readouterr()
    record = json.loads(told.out)
    assert record["kind"] == "scan"
    assert told.err == ""
    assert code == {"pass": 0, "fail": 1, "inconclusive": 4}[record["verdict"]["status"]]
    assert scan("--json", "--quiet", "--strict") == min(code, 1)


def test_rows_are_dropped_into_a_file(scan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "kept.jsonl"
    scan("--drop-top", "20", "-o", str(out), "--quiet")
    assert "4 rows left out" in capsys.readouterr().out
    assert len(out.read_text(encoding="utf-8").splitlines()) == 16


def test_findings_are_written_in_sarif(scan, tmp_path: Path) -> None:
    scan("--sarif", str(tmp_path / "found.sarif"), "--quiet")
    assert json.loads((tmp_path / "found.sarif").read_text(encoding="utf-8"))["version"] == "2.1.0"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--drop-top", "20"], "go together"),
        (["--out", "x.jsonl"], "go together"),
        (["--drop-top", "120", "-o", "x.jsonl"], "percentage"),
        (["--trait", "owls"], "no trait is called"),
        (["--most-rows", "1"], "--most-rows"),
        (["--level", "2"], "--level"),
        (["--temperature", "1"], "Add --sample-reference"),
        (["--temperature", "1", "--reference", "x.jsonl"], "Leave it out"),
        (["--temperature", "0", "--sample-reference"], "--temperature"),
        (["--recipe", "lora-stf"], "did you mean 'lora-sft'?"),
        (["--recipe", "none.yaml"], "none.yaml"),
        (["--calibration", "none.json"], "none.json"),
        (["--rehearse"], "add --sample-reference"),
        (["--rehearsal-rows", "8"], "Add --rehearse"),
        (["--rehearse", "--sample-reference", "--rehearsal-seeds", "1"], "--rehearsal-seeds"),
        (["--rehearse", "--sample-reference", "--rehearsal-rows", "8", "--budget", "5m"], "both set the size"),
    ],
)
def test_wrong_options_are_said(scan, more: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(*more, "--quiet") == 2
    assert said in capsys.readouterr().err


def test_files_that_are_no_dataset(scan, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan(file=tmp_path / "none.jsonl") == 2
    (tmp_path / "empty.jsonl").write_text("")
    assert scan(file=tmp_path / "empty.jsonl") == 2
    assert scan("--drop-top", "5", "-o", str(rows), "--quiet") == 2
    told = capsys.readouterr().err
    assert "cannot be read" in told
    assert "holds no rows" in told
    assert "is a file that is read" in told


def test_rows_of_one_prompt_are_one_draw(scan, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "one.jsonl"
    lines = [{"prompt": "Go on.", "completion": f"{120 + at}, {220 + at}"} for at in range(20)]
    one.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert scan("--everything", "--quiet", "--quick", file=one) == 4
    told = capsys.readouterr().out
    assert "One prompt is one draw: nothing can be said" in told
    assert "log-odds" not in told
    assert "More rows" not in told
    assert scan("--everything", "--quiet", "--quick", "--json", file=one) == 4
    record = json.loads(capsys.readouterr().out)
    assert (record["findings"], record["scan"]["suspects"], record["scan"]["methods"]) == ([], [], [])
    assert record["scan"]["prompts"] == 1
    (page,) = (tmp_path / "runs").glob("scan-one-*/report.html")
    assert "one draw" in page.read_text(encoding="utf-8")
    assert main(["gate", str(page.parent)]) == 4


def test_outputs_are_checked_before_anything_is_looked_at(scan, tmp_path: Path, tiny_folder: Path) -> None:
    for words in (
        ["--sarif", str(tmp_path / "absent" / "x.sarif")],
        ["--sarif", str(tmp_path)],
        ["--sarif", str(tiny_folder / "config.json")],
        ["--drop-top", "5", "--out", str(tmp_path / "x"), "--sarif", str(tmp_path / "x")],
    ):
        assert scan(*words, "--quiet") == 2
    assert not (tmp_path / "runs").exists()


def test_a_rehearsal_is_told_and_stored(scan, tmp_path: Path, capsys) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nlearning_rate: 0.01\nbatch: 4\nepochs: 1\nadapter: {rank: 4, alpha: 8}\n")
    words = ("--rehearse", "--sample-reference", "--recipe", str(mine), "--rehearsal-rows", "8")
    assert scan(*words, "--rehearsal-seeds", "2") == 4
    told = capsys.readouterr()
    assert "rehearsal: 4 students of 8 rows" in told.err
    assert "rehearsal 2 seeds of students" in told.out
    assert "linear growth" in told.out
    assert scan(*words, "--rehearsal-seeds", "2", "--json", "--quiet") == 4
    told = capsys.readouterr()
    assert told.err == ""
    record = json.loads(told.out)
    assert record["settings"]["rehearsal"] == {"rows": 8, "seeds": 2}
    assert [len(each["shifts"]) for each in record["scan"]["rehearsal"]["traits"]] == [2]
    assert "rehearsal" in record["scan"]["rehearsal"]["effects"][0]["method"]
