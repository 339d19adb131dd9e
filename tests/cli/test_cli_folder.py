"""`undertow report` and `undertow check` on run folders that are whole, damaged, or none."""

import json
import os
from pathlib import Path

import pytest

from undertow import cli
from undertow.results import Results, VerdictRecord
from undertow.store import RunFolder

RESULTS = Results(kind="run", name="owls", verdict=VerdictRecord(status="pass", because="nothing got through"))


def _build(part: Path) -> None:
    (part / "rows.jsonl").write_text("{}\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with RunFolder.open(tmp_path, name="owls", spec={"name": "owls"}) as made:
        for label in ("rows-trait-s0", "rows-control-s0"):
            made.step("rows", label, {"label": label}, _build)
        made.write("results.json", RESULTS.to_json())
    return made.path


def test_report_is_made_from_the_results_beside_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(folder)]) == 0
    page = (folder / "report.html").read_text("utf-8")
    assert "nothing got through" in page
    assert "rows-trait-s0" in page, "the seconds of timing.json are shown"
    assert capsys.readouterr().out == f"report: {folder / 'report.html'}\n"


def test_report_takes_the_results_file_itself_and_another_place(folder: Path, tmp_path: Path) -> None:
    assert cli.main(["report", str(folder / "results.json"), "--out", str(tmp_path / "page.html")]) == 0
    assert "nothing got through" in (tmp_path / "page.html").read_text("utf-8")
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("timing", [None, "", "[1]", '{"a": "b", "c": NaN, "d": 1e999, "e": true}', "[" * 100_000])
def test_report_does_without_usable_timing(timing: str | None, folder: Path) -> None:
    (folder / "timing.json").unlink()
    if timing is not None:
        (folder / "timing.json").write_text(timing, encoding="utf-8")
    assert cli.main(["report", str(folder)]) == 0
    assert "nothing got through" in (folder / "report.html").read_text("utf-8")


def test_report_does_not_write_through_a_link_of_a_strangers_folder(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine", encoding="utf-8")
    (folder / "report.html").symlink_to(outside)
    assert cli.main(["report", str(folder)]) == 0
    assert outside.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "results.json").write_text("{}"), "results.json: Field required"),
        (lambda folder: (folder / "results.json").write_bytes(b"\xff"), "results.json: is not UTF-8 text"),
        (lambda folder: (folder / "report.html").mkdir(), "report.html: is a folder"),
    ],
)
def test_report_on_what_it_cannot_use_exits_with_2(
    damage: object, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(folder)  # type: ignore[operator]
    assert cli.main(["report", str(folder)]) == 2
    assert message in capsys.readouterr().err


def test_report_into_no_folder_exits_with_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(folder), "--out", str(folder / "absent" / "page.html")]) == 2
    assert "page.html: lies in no folder that is there" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["report", "check"])
def test_a_folder_that_is_not_there_exits_with_2(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, str(tmp_path / "absent")]) == 2
    assert "absent: is not there" in capsys.readouterr().err


def test_check_of_a_whole_folder_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", str(folder)]) == 0
    assert capsys.readouterr().out == "2 steps intact, 0 interrupted, 0 damaged\n"


def test_an_interrupted_step_is_no_damage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "steps" / "student--0123456789ab.part").mkdir()
    assert cli.main(["check", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "interrupted  student--0123456789ab.part" in out
    assert "2 steps intact, 1 interrupted, 0 damaged" in out


def test_check_finds_a_changed_byte_and_exits_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = next((folder / "steps").glob("rows-trait*/rows.jsonl"))
    changed.write_text("[]\n", encoding="utf-8")
    assert cli.main(["check", str(folder)]) == 1
    assert f"damaged      {changed.parent.name}: " in capsys.readouterr().out
    assert cli.main(["check", str(folder), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert list(found["damaged"]) == [changed.parent.name]
    assert len(found["intact"]) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows forbids such names")
def test_names_in_a_strangers_folder_cannot_steer_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "steps" / "a\x1b[2Jb").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "steps") + b"/c\xff")).mkdir()
    assert cli.main(["check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "2 damaged" in out
    assert cli.main(["check", str(folder), "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["damaged"]) == 2
