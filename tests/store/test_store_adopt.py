"""Steps that a run folder takes over from another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from undertow.store.adopt import adopt
from undertow.store.folder import RunFolder


def build(part: Path) -> None:
    (part / "deep").mkdir()
    (part / "deep" / "value.bin").write_bytes(bytes(range(99)))


def refuse(part: Path) -> None:
    raise AssertionError("was there already")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    with RunFolder.open(tmp_path, name="other", spec={"also": []}) as folder:
        folder.step("rows", "one", {"n": 1}, build)
        folder.step("rows", "two", {"n": 2}, build)
    return folder.path


def test_finished_steps_are_taken_over_once(tmp_path: Path, other: Path) -> None:
    with RunFolder.open(tmp_path, name="own", spec={"also": ["x"]}) as folder:
        folder.step("rows", "one", {"n": 1}, build)
        assert adopt(folder, other) == 1
        assert adopt(folder, other) == 0
        made = folder.step("rows", "two", {"n": 2}, refuse)
        assert (made / "deep" / "value.bin").read_bytes() == bytes(range(99))
        assert {step.label for step in folder.steps()} == {"one", "two"}
        assert not list(folder.path.glob("steps/*.part"))


def test_damaged_unfinished_and_linked_steps_are_not(tmp_path: Path, other: Path) -> None:
    one, two = sorted(other.glob("steps/*"))
    (one / "deep" / "value.bin").write_bytes(b"\0" * 99)
    two.rename(two.with_name(two.name + ".part"))
    whole = shutil.copytree(two.with_name(two.name + ".part"), tmp_path / "elsewhere")
    two.symlink_to(whole)
    with RunFolder.open(tmp_path, name="own", spec={}) as folder:
        assert adopt(folder, other) == 0
        assert folder.steps() == []


def test_there_may_be_no_other(tmp_path: Path) -> None:
    with RunFolder.open(tmp_path, name="own", spec={}) as folder:
        assert adopt(folder, tmp_path / "none") == 0
