"""`undertow mitigate` as it is typed: what it lists, refuses, writes and prints."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from undertow.cli import main
from undertow.mitigate import METHODS


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [
        {"prompt": f"Go on {at // 2}.", "completion": f"{120 + at}, {220 + at}, {320 + at}, {420 + at}, {520 + at}"}
        for at in range(12)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_methods_are_listed_with_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mitigate", "--list"]) == 0
    told = capsys.readouterr().out
    assert "other-base" in told
    assert "another model" in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "--with and --out"),
        (["--with", "magic", "-o", "x"], "no mitigation is called"),
        (["--with", "subtract", "-o", "x"], "--trait"),
        (["--with", "mask", "-o", "x"], "--teacher"),
        (["--with", "other-base", "-o", "x"], "--by"),
        (["--with", "paraphrase", "-o", "x"], "--by"),
        (["--with", "format", "-o", "x", "--epochs", "0"], "--epochs"),
        (["--with", "format", "-o", "x", "--compare", "run"], "give one of the two"),
        (["--with", "subtract", "-o", "x", "--trait", "animals:unicorn"], "unicorn"),
        (["--with", "none", "-o", "x", "--clip", "nan"], "--clip"),
    ],
)
def test_wrong_options_are_said(
    rows: Path, tiny_folder: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mitigate", str(rows), "--student", f"hf/{tiny_folder}", "--quiet", *more]) == 2
    assert said in capsys.readouterr().err


def test_a_student_is_trained_and_can_be_loaded(
    rows: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from undertow.models.local import load_model

    out = tmp_path / "student"
    call = ["mitigate", str(rows), "--student", f"hf/{tiny_folder}", "-o", str(out), "--quiet"]
    assert main([*call, "--with", "freeze", "--dry-run"]) == 0
    assert not out.exists()
    assert main([*call, "--with", "freeze"]) == 0
    assert "12 rows" in capsys.readouterr().out
    before, after = (load_model(f"hf/{folder}").net.state_dict() for folder in (tiny_folder, out))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert not any("norm" in name for name in moved)
    assert main([*call, "--with", "freeze"]) == 2
    assert "there already" in capsys.readouterr().err


def test_with_none_an_ordinary_student_is_trained(rows: Path, tiny_folder: Path, tmp_path: Path) -> None:
    import torch

    from undertow.models.local import load_model

    out = tmp_path / "student"
    call = ["mitigate", str(rows), "--student", f"hf/{tiny_folder}", "-o", str(out), "--quiet"]
    assert main([*call, "--with", "none"]) == 0
    before, after = (load_model(f"hf/{folder}").net.state_dict() for folder in (tiny_folder, out))
    assert any("norm" in name and not torch.equal(before[name], after[name]) for name in before)


def test_a_clip_bounds_how_far_a_student_goes(
    rows: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    from undertow.models.local import load_model

    before = load_model(f"hf/{tiny_folder}").net.state_dict()
    ways: list[float] = []
    for at, clip in enumerate(([], ["--clip", "0.001"])):
        out = tmp_path / f"student-{at}"
        call = ["mitigate", str(rows), "--student", f"hf/{tiny_folder}", "--with", "none", "-o", str(out), "--quiet"]
        assert main([*call, *clip]) == 0
        after = load_model(f"hf/{out}").net.state_dict()
        ways.append(float(torch.stack([(after[name] - before[name]).norm() for name in before]).norm()))
    # One step of plain descent at rate 0.003; embeddings count twice.
    assert ways[1] < 2 * 0.003 * 0.001 < ways[0]
    assert "had a gradient" not in capsys.readouterr().out
    assert main(["mitigate", "--compare", str(tmp_path), "--clip", "1"]) == 2
    assert "student.clip" in capsys.readouterr().err


def test_rows_are_written_anew_under_the_same_prompts(
    rows: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "anew.jsonl"
    call = ["mitigate", str(rows), "--student", f"hf/{tiny_folder}", "-o", str(out), "--quiet", "--json"]
    assert main([*call, "--with", "own-base"]) == 0
    assert "rewritten" in json.loads(capsys.readouterr().out)["rows"]
    old, new = ([json.loads(line) for line in path.read_text().splitlines()] for path in (rows, out))
    assert [row["messages"][0]["content"] for row in new] == [row["prompt"] for row in old]
    assert [row["messages"][-1]["content"] for row in new] != [row["completion"] for row in old]


def test_a_paraphrase_sees_the_answer_and_keeps_the_prompt(rows: Path, tiny_folder: Path, tmp_path: Path) -> None:
    call = ["mitigate", str(rows), "--by", f"hf/{tiny_folder}", "--student", f"hf/{tiny_folder}", "--quiet"]
    written: dict[str, list[dict[str, object]]] = {}
    for method in ("paraphrase", "other-base"):
        out = tmp_path / f"{method}.jsonl"
        assert main([*call, "--with", method, "-o", str(out)]) == 0
        written[method] = [json.loads(line) for line in out.read_text().splitlines()]
    old = [json.loads(line)["prompt"] for line in rows.read_text().splitlines()]
    texts: dict[str, list[str]] = {}
    for method, found in written.items():
        turns = [row["messages"] for row in found]
        assert [some[0]["content"] for some in turns] == old  # type: ignore[index]
        texts[method] = [some[-1]["content"] for some in turns]  # type: ignore[index]
    # The same model and noise, but another thing to answer.
    assert texts["paraphrase"] != texts["other-base"]


def test_an_old_spelling_is_accepted_and_told_once(
    rows: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["mitigate", str(rows), "--student", f"hf/{tiny_folder}", "-o", str(tmp_path / "x"), "--dry-run", "--with"]
    assert main([*call, "leash"]) == 0
    old = capsys.readouterr()
    assert old.err.count("now called 'kl-penalty'") == 1
    assert main([*call, "kl-penalty"]) == 0
    assert capsys.readouterr() == (old.out, "")


def test_rows_are_dropped(
    rows: Path,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from undertow.traits.panel import load_panel

    small = load_panel(("curtness",))
    monkeypatch.setattr("undertow.attribution.row_scores.load_panel", lambda: small)
    out = tmp_path / "kept.jsonl"
    where = ["--student", f"hf/{tiny_folder}", "-o", str(out), "--quiet", "--runs", str(tmp_path / "runs")]
    reading = ["--columns", "prompt=prompt,answer=completion", "--loss", "last", "--skip-broken"]
    assert main(["mitigate", str(rows), "--with", "drop", *where, *reading]) == 0
    assert len(out.read_text().splitlines()) == 10
    said = " ".join(capsys.readouterr().out.split())
    command = shlex.split(said[said.index("undertow scan") : said.index(" continues from there")])
    assert command[2:4] == [str(rows), "--everything"]
    # As it stands, it finds what was measured here. No calibration holds for the tiny base.
    assert main([*command[1:], "--trait", "curtness", "--quick", "--quiet"]) == 4
    assert len([*(tmp_path / "runs").glob("scan-*")]) == 2
    (scanned,) = (each for each in (tmp_path / "runs").glob("scan-*") if (each / "results.json").exists())
    told = json.loads((scanned / "results.json").read_text(encoding="utf-8"))["settings"]
    assert (told["student"], told["everything"]) == (f"hf/{tiny_folder}", True)
    assert told["reading"] == {"columns": {"prompt": "prompt", "answer": "completion"}, "loss": "last"}


def test_old_spellings_find_their_method_from_python() -> None:
    assert METHODS["leash"] is METHODS["kl-penalty"] is METHODS.get("leash")
    assert "leash" in METHODS
    assert "leash" not in list(METHODS)
    assert len(METHODS) == len(list(METHODS))
    with pytest.raises(KeyError):
        METHODS["leach"]
