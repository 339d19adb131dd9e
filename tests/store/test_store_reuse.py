"""Steps that a run folder takes over from a run of the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from undertow.store.folder import RunFolder, check

KEY = {"n": 1}


class Build:
    """Writes a step, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, part: Path) -> None:
        self.calls += 1
        (part / "deep").mkdir()
        (part / "deep" / "value.bin").write_bytes(bytes(range(99)))


def open_folder(root: Path, name: str = "demo", *, reuses: bool = True, **spec: object) -> RunFolder:
    return RunFolder.open(root, name=name, spec=spec, reuses=reuses)


@pytest.fixture
def lender(tmp_path: Path) -> Path:
    """The step of a run that asked something else."""
    with open_folder(tmp_path, also=1) as folder:
        return folder.step("rows", "one", KEY, Build())


def test_a_finished_step_is_taken_over_whole(tmp_path: Path, lender: Path) -> None:
    (lender / ".DS_Store").write_bytes(b"left behind by a desktop")
    build = Build()
    with open_folder(tmp_path, also=2) as folder:
        made = folder.step("rows", "one", KEY, build)
        folder.step("rows", "two", {"n": 2}, build)  # the other run has none
    assert build.calls == 1
    assert made != lender
    assert sorted(path.name for path in made.rglob("*")) == ["deep", "step.json", "value.bin"]
    assert {step.label for step in check(folder.path).intact} == {"one", "two"}
    assert check(folder.path).interrupted == []


@pytest.mark.parametrize("how", ["asks nobody", "another name"])
def test_others_lend_nothing(tmp_path: Path, lender: Path, how: str) -> None:
    build = Build()
    name = "demo" if how == "asks nobody" else "demo-two"
    with open_folder(tmp_path, name, reuses=how != "asks nobody", also=2) as folder:
        folder.step("rows", "one", KEY, build)
    assert build.calls == 1


@pytest.mark.parametrize("how", ["changed", "same size", "cut off", "unfinished", "step linked", "steps linked"])
def test_what_is_not_whole_is_made_instead(tmp_path: Path, lender: Path, how: str) -> None:
    value = lender / "deep" / "value.bin"
    if how == "changed":
        value.write_bytes(b"no")
    elif how == "same size":
        value.write_bytes(b"\0" * 99)
    elif how == "cut off":
        (lender / "step.json").write_bytes(b"{")
    else:
        moved = lender.parent if how == "steps linked" else lender
        unfinished = how == "unfinished"
        elsewhere = moved.rename(moved.with_name(moved.name + ".part") if unfinished else tmp_path / "elsewhere")
        if not unfinished:
            moved.symlink_to(elsewhere)
    build = Build()
    with open_folder(tmp_path, also=2) as folder:
        made = folder.step("rows", "one", KEY, build)
        assert build.calls == 1
        assert (made / "deep" / "value.bin").read_bytes() == bytes(range(99))
        assert check(folder.path).interrupted == []


def test_a_copy_that_was_killed_leaves_nothing(tmp_path: Path, lender: Path) -> None:
    with open_folder(tmp_path, also=2) as folder:
        for end in (".part", ".borrowed.part"):  # of a step that was being made, and of one that was being copied
            killed = folder.path / "steps" / (lender.name + end)
            killed.mkdir()
            (killed / "half").write_bytes(b"x")
        build = Build()
        folder.step("rows", "one", KEY, build)
        assert build.calls == 0
        assert [path.name for path in folder.path.glob("steps/*")] == [lender.name]


def test_a_run_may_be_at_work_in_the_other_folder(tmp_path: Path, lender: Path) -> None:
    build = Build()
    with open_folder(tmp_path, also=1), open_folder(tmp_path, also=2) as folder:
        folder.step("rows", "one", KEY, build)
    assert build.calls == 0


def test_a_damaged_step_of_its_own_is_made_again(tmp_path: Path, lender: Path) -> None:
    with open_folder(tmp_path, also=2) as folder:
        made = folder.step("rows", "one", KEY, Build())
    (made / "deep" / "value.bin").write_bytes(b"no")
    build = Build()
    with open_folder(tmp_path, also=2) as folder:
        folder.step("rows", "one", KEY, build)
    assert build.calls == 1
