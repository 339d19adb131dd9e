"""Steps of a run folder: identity, redo, locks, full disks, strangers."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from undertow.config.experiment import parse_spec, preset_names
from undertow.errors import InputError, StoreError
from undertow.store import environment
from undertow.store import folder as store
from undertow.store import step as _step
from undertow.store.folder import RunFolder, check, planned_state, step_id
from undertow.store.spec import spec_yaml

SPEC: dict[str, Any] = {"kind": "digits", "name": "demo", "seeds": [0, 1], "learning_rate": 3e-4}


class Notes:
    """Keeps what a user would be told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        pass

    def note(self, message: str) -> None:
        self.said.append(message)


class Build:
    """Writes two files and counts how often it is asked to."""

    def __init__(self, text: str = "one\n") -> None:
        self.text = text
        self.calls = 0

    def __call__(self, part: Path) -> None:
        self.calls += 1
        (part / "rows.jsonl").write_text(self.text)
        (part / "model").mkdir()
        (part / "model" / "weights.bin").write_bytes(bytes(range(256)))


def open_folder(root: Path, notes: Notes | None = None, spec: dict[str, Any] | None = None) -> RunFolder:
    return RunFolder.open(root, name="demo", spec=spec or SPEC, progress=notes)


def tree(folder: Path) -> dict[str, bytes]:
    """Every byte that must not depend on how often a run was interrupted."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("timing.json", ".lock", ".holder")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with open_folder(tmp_path) as opened:
        yield opened


# Identity

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
keys = st.dictionaries(st.text(), json_values, max_size=5)


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reversed_keys(value[name]) for name in reversed(list(value))}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


@given(keys)
def test_step_id_does_not_depend_on_the_order_of_keys(key: dict[str, Any]):
    assert step_id("rows", key) == step_id("rows", reversed_keys(key))


@given(keys, keys)
def test_step_id_differs_exactly_when_the_key_does(one: dict[str, Any], two: dict[str, Any]):
    # repr tells 1 from 1.0 and True, and 0.0 from -0.0, which == does not.
    same = repr(sorted_keys(one)) == repr(sorted_keys(two))
    assert (step_id("rows", one) == step_id("rows", two)) == same


def sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_keys(value[name]) for name in sorted(value)}
    return [sorted_keys(item) for item in value] if isinstance(value, list) else value


def test_step_id_depends_on_kind_and_version(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_step, "KIND_VERSIONS", {})
    before = step_id("rows", {"seed": 0})
    assert step_id("train", {"seed": 0}) != before
    monkeypatch.setattr(_step, "KIND_VERSIONS", {"train": 2})
    assert step_id("rows", {"seed": 0}) == before
    monkeypatch.setattr(_step, "KIND_VERSIONS", {"rows": 2})
    assert step_id("rows", {"seed": 0}) != before


def test_step_id_is_the_same_in_every_release(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_step, "KIND_VERSIONS", {})
    assert step_id("rows", {"seed": 0}) == "6dbb98c57a17"


@pytest.mark.parametrize("key", [{"x": float("nan")}, {"x": {1: "a"}}, {"x": object()}, {"x": {"y": b"z"}}])
def test_step_id_refuses_what_is_no_plain_json(key: dict[str, Any]):
    with pytest.raises(InputError, match="cannot be written as JSON"):
        step_id("rows", key)


@pytest.mark.parametrize("label", ["", "..", "a/b", "A", "-a", ".a", "a b", "a\n", "é", "x" * 200, "a.part"])
def test_labels_that_are_no_safe_file_names_are_refused(folder: RunFolder, label: str):
    with pytest.raises(InputError, match="cannot name a file"):
        folder.step("rows", label, {}, Build())
    with pytest.raises(InputError, match="cannot name a file"):
        folder.write(label, "")


# Finished steps


def test_a_finished_step_is_not_made_again(tmp_path: Path):
    build = Build()
    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows-s0", {"seed": 0}, build)
        assert folder.step("rows", "rows-s0", {"seed": 0}, build) == path
    with open_folder(tmp_path) as folder:
        assert folder.step("rows", "rows-s0", {"seed": 0}, build) == path
    assert build.calls == 1
    assert path.name == "rows-s0--" + step_id("rows", {"seed": 0})
    manifest = json.loads((path / "step.json").read_text())
    assert manifest["key"] == {"seed": 0}
    assert manifest["files"]["model/weights.bin"]["bytes"] == 256


def test_another_key_is_another_step(folder: RunFolder):
    build = Build()
    paths = {folder.step("rows", "rows", {"seed": seed}, build) for seed in range(3)}
    assert len(paths) == build.calls == 3


def test_the_order_of_a_key_leaves_no_trace(tmp_path: Path):
    for root, key in (("a", {"x": 1, "y": 2}), ("b", {"y": 2, "x": 1})):
        with open_folder(tmp_path / root) as folder:
            folder.step("rows", "rows", key, Build())
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def delete(path: Path) -> None:
    (path / "model/weights.bin").unlink()


def truncate(path: Path) -> None:
    os.truncate(path / "model/weights.bin", 100)


def flip(path: Path) -> None:
    data = bytearray((path / "model/weights.bin").read_bytes())
    data[7] ^= 1
    (path / "model/weights.bin").write_bytes(data)


def add(path: Path) -> None:
    (path / "model/adapter_config.json").write_text("{}")


def drop_manifest(path: Path) -> None:
    (path / "step.json").unlink()


def tear_manifest(path: Path) -> None:
    os.truncate(path / "step.json", 40)


def edit_manifest(path: Path) -> None:
    text = (path / "step.json").read_text()
    (path / "step.json").write_text(text.replace('"seed": 0', '"seed": 1'))


def respace_manifest(path: Path) -> None:
    (path / "step.json").write_text((path / "step.json").read_text() + " ")


def nest_manifest(path: Path) -> None:
    (path / "step.json").write_text("[" * 100_000)


def link_file(path: Path) -> None:
    copy = path.parent.parent / "copy.bin"
    copy.write_bytes((path / "model/weights.bin").read_bytes())
    (path / "model/weights.bin").unlink()
    (path / "model/weights.bin").symlink_to(copy)


def link_folder(path: Path) -> None:
    (path / "model").rename(path.parent.parent / "elsewhere")
    (path / "model").symlink_to(path.parent.parent / "elsewhere")


def link_step(path: Path) -> None:
    outside = path.parent.parent / path.name
    path.rename(outside)
    path.symlink_to(outside)


def pipe(path: Path) -> None:
    (path / "rows.jsonl").unlink()
    os.mkfifo(path / "rows.jsonl")


DAMAGE: dict[Callable[[Path], None], str] = {
    delete: "model/weights.bin is missing",
    truncate: "model/weights.bin has 100 bytes instead of 256",
    flip: "model/weights.bin was changed",
    add: "model/adapter_config.json was added",
    drop_manifest: "step.json is missing",
    tear_manifest: "step.json does not describe a step",
    edit_manifest: "step.json was changed",
    respace_manifest: "step.json was changed",
    nest_manifest: "step.json does not describe a step",
    link_file: "model/weights.bin is a link",
    link_folder: "model is a link",
    link_step: "it is no folder",
    pipe: "rows.jsonl is a link or no regular file",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_step_is_made_again_and_said_so(tmp_path: Path, damage: Callable[[Path], None]):
    build, notes = Build(), Notes()
    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows", {"seed": 0}, build)
        whole = tree(path)
    damage(path)
    outside = {item: item.read_bytes() for item in tmp_path.rglob("*") if item.is_file() and path not in item.parents}
    assert DAMAGE[damage] in check(folder.path).damaged[path.name]
    with open_folder(tmp_path, notes) as folder:
        assert folder.steps() == []
        assert planned_state(folder.path, [("rows", "rows", {"seed": 0})]) == ["missing"]
        folder.step("rows", "rows", {"seed": 0}, build)
    assert build.calls == 2
    assert tree(path) == whole
    assert not path.is_symlink()
    assert [DAMAGE[damage] in note for note in notes.said] == [True]
    assert check(folder.path).damaged == {}
    # What a link pointed to was neither used nor removed.
    assert all(item.read_bytes() == data for item, data in outside.items() if item.name != "timing.json")


def test_damage_within_a_process_is_seen_when_a_file_goes_or_shrinks(folder: RunFolder):
    build = Build()
    path = folder.step("rows", "rows", {}, build)
    delete(path)
    folder.step("rows", "rows", {}, build)
    assert build.calls == 2


def test_hidden_files_of_a_desktop_do_not_count_as_damage(tmp_path: Path):
    build = Build()
    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows", {}, build)
    (path / ".DS_Store").write_text("")
    with open_folder(tmp_path) as folder:
        folder.step("rows", "rows", {}, build)
    assert build.calls == 1


def test_large_files_are_checked_by_size_when_going_on_and_by_hash_in_a_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "BIG", 100)
    build = Build()
    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows", {}, build)
    flip(path)
    with open_folder(tmp_path) as folder:
        folder.step("rows", "rows", {}, build)
        assert build.calls == 1
        assert "model/weights.bin was changed" in check(folder.path).damaged[path.name]
    truncate(path)
    with open_folder(tmp_path) as folder:
        folder.step("rows", "rows", {}, build)
    assert build.calls == 2


def test_a_redo_with_other_bytes_is_said(tmp_path: Path):
    notes = Notes()
    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows", {}, Build("one\n"))
    delete(path)
    with open_folder(tmp_path, notes) as folder:
        folder.step("rows", "rows", {}, Build("two\n"))
    assert "other bytes than before" in notes.said[1]


def test_a_file_name_that_leads_out_of_the_step_is_never_followed(tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows", {}, Build())
    manifest = json.loads((path / "step.json").read_text())
    for name in ("../../../secret", str(secret)):
        forged = {**manifest["files"], name: {"bytes": 1, "sha256": _step.sha256_of(secret)}}
        text = json.dumps({**manifest, "files": forged}, indent=1, sort_keys=True) + "\n"
        (path / "step.json").write_text(text)
        assert f"{name} is missing" in check(folder.path).damaged[path.name]


# Steps that fail


def test_a_failed_step_has_no_final_name_and_the_next_attempt_starts_empty(folder: RunFolder):
    def fail(part: Path) -> None:
        (part / "half.txt").write_text("x")
        raise ConnectionError("lost")

    # A lost connection is an OSError too, but none of the disk's.
    with pytest.raises(ConnectionError):
        folder.step("rows", "rows", {}, fail)
    assert folder.steps() == []
    assert check(folder.path).interrupted == [f"rows--{step_id('rows', {})}.part"]
    path = folder.step("rows", "rows", {}, Build())
    assert sorted(tree(path)) == ["model/weights.bin", "rows.jsonl", "step.json"]


def test_a_step_may_not_write_links_or_the_manifest(folder: RunFolder):
    with pytest.raises(StoreError, match="is a link"):
        folder.step("rows", "a", {}, lambda part: (part / "x").symlink_to("/etc/passwd"))
    with pytest.raises(StoreError, match="Give that file another name"):
        folder.step("rows", "b", {}, lambda part: (part / "step.json").touch())
    assert os.listdir(folder.path / "steps") == []  # noqa: PTH208


def test_resume_goes_on_from_what_is_left_even_when_killed_while_sealing(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    seen: list[list[str]] = []

    def build(part: Path) -> None:
        seen.append(sorted(path.name for path in part.iterdir()))
        (part / f"piece-{len(seen)}").touch()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_step, "sync_tree", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.step("rows", "rows", {}, build, resume=True)
    path = folder.step("rows", "rows", {}, build, resume=True)
    assert seen == [[], ["piece-1"]]
    assert sorted(tree(path)) == ["piece-1", "piece-2", "step.json"]


def test_resume_never_goes_on_from_a_damaged_step_or_from_links(tmp_path: Path):
    seen: list[list[str]] = []

    def build(part: Path) -> None:
        seen.append(sorted(path.name for path in part.iterdir()))
        (part / "rows").touch()

    with open_folder(tmp_path) as folder:
        path = folder.step("rows", "rows", {}, build, resume=True)
        (path / "rows").unlink()
        folder.step("rows", "rows", {}, build, resume=True)
        part = path.with_name(path.name + ".part")
        path.rename(part)
        (part / "trap").symlink_to(tmp_path)
        folder.step("rows", "rows", {}, build, resume=True)
        path.rename(tmp_path / "moved")
        part.symlink_to(tmp_path / "moved")
        folder.step("rows", "rows", {}, build, resume=True)
    assert seen == [[]] * 4
    assert (tmp_path / "moved" / "rows").exists()


# Full disks and permissions


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["fsync", "open"])
def test_a_disk_that_fills_up_while_the_store_writes(folder: RunFolder, monkeypatch: pytest.MonkeyPatch, call: str):
    with monkeypatch.context() as patch:
        patch.setattr(os, call, no_space)
        with pytest.raises(StoreError, match=r"disk is full.*\n.*Free some space") as caught:
            folder.step("rows", "rows", {}, lambda part: None)
        with pytest.raises(StoreError, match="disk is full"):
            folder.write("results.json", "{}")
    assert caught.value.exit_code == 3
    assert folder.steps() == []
    assert not (folder.path / "results.json").exists()
    assert folder.step("rows", "rows", {}, Build()).exists()


def test_a_disk_that_fills_up_inside_a_library(folder: RunFolder):
    def save(part: Path) -> None:
        raise RuntimeError("I/O error: No space left on device (os error 28)")

    with pytest.raises(StoreError, match="disk is full"):
        folder.step("rows", "rows", {}, save)
    assert folder.steps() == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_missing_permission_names_the_file(folder: RunFolder, number: int):
    def forbidden(part: Path) -> None:
        raise OSError(number, os.strerror(number), str(part / "rows.jsonl"))

    with pytest.raises(StoreError, match=r"rows\.jsonl: may not be written or read .*\n.*permissions"):
        folder.step("rows", "rows", {}, forbidden)


def test_a_folder_that_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written or read"):
        open_folder(tmp_path / "file")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_really_full_disk(small_disk: Path):
    def large(part: Path) -> None:
        (part / "small.txt").write_text("x" * 1000)
        (part / "large.bin").write_bytes(bytes(1_000_000))

    with open_folder(small_disk) as folder:
        folder.step("rows", "rows", {}, Build())
        with pytest.raises(StoreError, match="disk is full"):
            folder.step("train", "train", {}, large)
        # The space of the failed step is free again, and the finished one is whole.
        assert [step.label for step in folder.steps()] == ["rows"]
        assert check(folder.path).interrupted == []
        folder.step("train", "train", {}, Build())
        with pytest.raises(StoreError, match="disk is full"):
            folder.write("report.html", "x" * 1_000_000)
        assert not list(folder.path.glob("*report*"))


# Locks

HOLD = """
import sys, time
from pathlib import Path
from undertow.store.folder import RunFolder
import json
folder = RunFolder.open(Path(sys.argv[1]), name="demo", spec=json.loads(sys.argv[2]))
print("ready", flush=True)
time.sleep(60)
"""


def test_two_processes_never_work_in_one_folder_and_a_killed_one_lets_go(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), json.dumps(SPEC)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == "ready\n"
            with pytest.raises(StoreError, match=rf"process {other.pid} works in it"):
                open_folder(tmp_path)
            # Another spec is another folder, and looking is always allowed.
            with open_folder(tmp_path, spec={**SPEC, "seeds": [5]}) as folder:
                assert folder.steps() == []
            assert check(next(tmp_path.glob("demo-*"))).damaged == {}
        finally:
            other.kill()
        other.wait()
    with open_folder(tmp_path) as folder:
        assert folder.steps() == []


def test_one_process_cannot_open_a_folder_twice_but_can_open_it_again(tmp_path: Path):
    with (
        open_folder(tmp_path),
        pytest.raises(StoreError, match=f"process {os.getpid()} works in it"),
    ):
        open_folder(tmp_path)
    open_folder(tmp_path).close()
    with open_folder(tmp_path) as folder:
        folder.close()
        folder.close()


def test_a_refused_folder_is_not_left_locked(tmp_path: Path):
    with open_folder(tmp_path) as folder:
        path = folder.path
    good = (path / "spec.yaml").read_bytes()
    (path / "spec.yaml").write_text("name: other\n")
    with pytest.raises(StoreError):
        open_folder(tmp_path)
    (path / "spec.yaml").write_bytes(good)
    open_folder(tmp_path).close()


# The spec and the top-level files


@given(keys)
def test_spec_yaml_says_what_the_spec_says(key: dict[str, Any]):
    assert yaml.safe_load(spec_yaml(key)) == key


@pytest.mark.parametrize("name", preset_names())
def test_spec_yaml_runs_as_it_is(tmp_path: Path, name: str):
    from undertow.config.experiment import load_preset

    spec = load_preset(name)
    with RunFolder.open(tmp_path, name=spec.name, spec=spec.model_dump(mode="json")) as folder:
        assert parse_spec((folder.path / "spec.yaml").read_text(), "spec.yaml") == spec


@pytest.mark.parametrize("text", ["name: other\n", "", "\x00", "[" * 100_000])
def test_a_folder_with_another_spec_is_refused(tmp_path: Path, text: str):
    with open_folder(tmp_path) as folder:
        path = folder.path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(StoreError, match="is not the spec that this folder is named after"):
        open_folder(tmp_path)


def test_a_lost_spec_is_written_anew(tmp_path: Path):
    with open_folder(tmp_path) as folder:
        path = folder.path / "spec.yaml"
    before = path.read_bytes()
    path.unlink()
    with open_folder(tmp_path):
        assert path.read_bytes() == before


def test_a_write_replaces_in_one_piece(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    path = folder.write("results.json", "old")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.write("results.json", "new")
    assert path.read_text() == "old"
    folder.write("results.json", "new")
    assert path.read_text() == "new"
    assert not list(folder.path.glob(".results*"))


def test_writing_over_a_planted_link_leaves_its_target_alone(folder: RunFolder, tmp_path: Path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (folder.path / "results.json").symlink_to(victim)
    (folder.path / ".results.json.part").symlink_to(victim)
    folder.write("results.json", "new")
    assert victim.read_text() == "mine"
    assert (folder.path / "results.json").read_text() == "new"


@pytest.mark.parametrize("name", ["", "steps", "spec.yaml", ".lock", ".holder"])
def test_planted_links_for_what_the_folder_needs_are_refused_or_replaced(tmp_path: Path, name: str):
    with open_folder(tmp_path / "runs") as folder:
        path = folder.path / name if name else folder.path
    outside = tmp_path / "outside"
    if path.exists():
        path.rename(outside)
    else:
        outside.write_text("mine")
    before = tree(outside) if outside.is_dir() else outside.read_bytes()
    path.symlink_to(outside)
    if name == ".holder":
        open_folder(tmp_path / "runs").close()
    else:
        with pytest.raises(StoreError):
            open_folder(tmp_path / "runs")
    assert (tree(outside) if outside.is_dir() else outside.read_bytes()) == before


def test_check_refuses_what_is_no_run_folder_and_a_linked_steps_folder(tmp_path: Path):
    with pytest.raises(StoreError, match="is no run folder"):
        check(tmp_path)
    with open_folder(tmp_path / "runs") as folder:
        (folder.path / "steps").rmdir()
        (folder.path / "steps").symlink_to(tmp_path)
        with pytest.raises(StoreError, match="is a link"):
            check(folder.path)


def test_check_accounts_for_every_entry(folder: RunFolder):
    folder.step("rows", "rows", {}, Build())
    delete(folder.step("train", "train", {}, Build()))
    (folder.path / "steps" / "probe--0123456789ab.part").mkdir()
    (folder.path / "steps" / "README").write_text("")
    found = check(folder.path)
    assert [step.label for step in found.intact] == ["rows"]
    assert found.interrupted == ["probe--0123456789ab.part"]
    assert list(found.damaged.values()) == ["it is no step", "model/weights.bin is missing"]


def test_steps_and_planned_state_agree_on_what_is_there(folder: RunFolder):
    wanted = [("rows", f"rows-s{seed}", {"seed": seed}) for seed in range(4)]
    for kind, label, key in wanted[:2]:
        folder.step(kind, label, key, Build())
    assert [(step.kind, step.label) for step in folder.steps()] == [("rows", "rows-s0"), ("rows", "rows-s1")]
    assert planned_state(folder.path, wanted) == ["done", "done", "missing", "missing"]


def test_times_are_kept_over_restarts_and_a_broken_file_costs_only_times(tmp_path: Path):
    for seed in range(2):
        with open_folder(tmp_path) as folder:
            folder.step("rows", f"rows-s{seed}", {"seed": seed}, Build())
    path = folder.path / "timing.json"
    assert set(json.loads(path.read_text())) == {"rows-s0", "rows-s1"}
    path.write_text("{broken")
    with open_folder(tmp_path) as folder:
        folder.step("rows", "rows-s2", {"seed": 2}, Build())
    assert list(json.loads(path.read_text())) == ["rows-s2"]


# Secrets


def test_a_secret_in_the_environment_reaches_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    secret = "sk-planted-7d1f"
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "OMP_NUM_THREADS", "UNDERTOW_X", "USER", "GIT_AUTHOR_NAME"):
        monkeypatch.setenv(name, secret)
    with open_folder(tmp_path) as folder:
        folder.step("rows", "rows", {}, Build())
        folder.write("environment.json", json.dumps(environment(threads=2)))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 6
    assert not any(secret.encode() in path.read_bytes() for path in files)
