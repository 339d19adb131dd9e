"""Closed and full standard streams: the exit code keeps its meaning, and no stream makes a bug."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from undertow import cli
from undertow.cli.streams import cannot_write

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell is asked to close streams")
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device is full here")

ROWS = '{"prompt": "a", "completion": "b"}\n'
FULL = "error: the output cannot be written (No space left on device)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text(ROWS, encoding="utf-8")
    return tmp_path


def shell(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    line = f"{sys.executable} -m undertow {words}"
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("streams", ["", "2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("verb", "code"), [("rows absent.jsonl", 2), ("gate absent.json", 2), ("rows rows.jsonl", 0)])
def test_a_closed_stream_does_not_change_the_code(folder: Path, verb: str, code: int, streams: str) -> None:
    done = shell(folder, f"{verb} {streams}")
    assert done.returncode == code
    assert "bug" not in done.stderr


def test_what_is_written_does_not_get_the_number_of_a_closed_stream(folder: Path) -> None:
    assert shell(folder, "rows rows.jsonl -o kept.jsonl >&- 2>&-").returncode == 0
    assert (folder / "kept.jsonl").read_text(encoding="utf-8").count("\n") == 1
    assert "distinct" not in (folder / "kept.jsonl").read_text(encoding="utf-8")


def test_a_closed_standard_input_holds_no_rows(folder: Path) -> None:
    done = shell(folder, "rows - <&-")
    assert done.returncode == 2
    assert "holds no rows" in done.stderr


@full
@pytest.mark.parametrize("verb", ["rows rows.jsonl --json", "rows rows.jsonl", "presets", "--help", "--version"])
def test_a_full_output_is_said_once(folder: Path, verb: str) -> None:
    done = shell(folder, f"{verb} > /dev/full")
    assert (done.returncode, done.stderr) == (3, FULL)


@full
def test_wrong_input_keeps_its_code_where_all_is_full(folder: Path) -> None:
    assert shell(folder, "rows absent.jsonl > /dev/full 2> /dev/full").returncode == 2
    assert shell(folder, "rows absent.jsonl 2> /dev/full").returncode == 2
    assert shell(folder, "rows rows.jsonl > /dev/full 2> /dev/full").returncode == 3


@full
def test_progress_that_cannot_be_written_breaks_the_work_off_once(folder: Path) -> None:
    spec = "kind: digits\nname: small\nseeds: [0, 1]\ntrain_images: 10\nstudent_images: 10\nhidden: [4]\n"
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    assert shell(folder, "run spec.yaml 2> /dev/full").returncode == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_only_the_surroundings_are_no_bug(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("undertow.config.experiment.preset_names", refuse)
    assert cli.main(["presets"]) == 3
    assert cannot_write(OSError(errno.ENOENT, "absent")) is None
