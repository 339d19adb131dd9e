"""kill -9 at random moments, and an interruption or a full disk at every single call of the file system.

The restarted run must leave the bytes of an undisturbed one.
"""

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.errors import StoreError
from undertow.store.folder import RunFolder, check
from undertow.store.jsonl import append_jsonl, read_jsonl

# A run of twelve steps in the shape of an experiment. Each depends on the one before and writes with pauses,
# so that most kills strike inside a step; every third writes progressively and goes on where it was cut.
PIPELINE = """
import hashlib, sys, time
from pathlib import Path
from undertow.store.jsonl import append_jsonl, read_jsonl
from undertow.store.folder import RunFolder, step_id


def pause():
    print(flush=True)
    time.sleep(0.004)


def whole(seed, source):
    def build(part):
        text = source.read_bytes() if source else b""
        (part / "deep").mkdir()
        for number in range(3):
            data = hashlib.sha256(text + bytes([seed, number])).digest() * 400
            with (part / "deep" / f"{number}.bin").open("wb") as file:
                file.write(data[:5000])
                file.flush()
                pause()
                file.write(data[5000:])
        (part / "out.txt").write_text(hashlib.sha256(data).hexdigest())
    return build


def progressive(seed, source):
    def build(part):
        rows = part / "rows.jsonl"
        for number in range(len(read_jsonl(rows).records), 8):
            value = hashlib.sha256(source.read_bytes() + bytes([seed, number])).hexdigest()
            with rows.open("a") as file:  # what a kill amid a write leaves behind
                file.write('{"torn": ')
                file.flush()
                pause()
            append_jsonl(rows, [{"number": number, "value": value * 20}])
        (part / "out.txt").write_text(hashlib.sha256(rows.read_bytes()).hexdigest())
    return build


with RunFolder.open(Path(sys.argv[1]), name="pipeline", spec={"name": "pipeline", "seed": 7}) as folder:
    before, out = None, None
    for number in range(12):
        key = {"seed": number, "after": before}
        slow = number % 3 == 2
        build = (progressive if slow else whole)(number, out)
        out = folder.step("rows", f"step-{number:02d}", key, build, resume=slow) / "out.txt"
        before = step_id("rows", key)
        folder.write("results.json", f'{{"upto": {number}}}' + " " * 5000)
    folder.write("results.json", out.read_text())
    folder.write("report.html", "<p>" + out.read_text())
"""


def start(root: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", PIPELINE, str(root)], stdout=subprocess.PIPE)


def finish(root: Path) -> None:
    process = start(root)
    process.communicate(timeout=60)
    assert process.returncode == 0


def tree(root: Path) -> dict[str, bytes | None]:
    """Every path with its bytes; only the durations and the locks may differ."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if path.name not in ("timing.json", ".lock")
    }


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_ten_kills_and_restarts_leave_the_bytes_of_an_undisturbed_run(tmp_path: Path, seed: int):
    finish(tmp_path / "calm")
    calm = tree(tmp_path / "calm")
    assert len([name for name in calm if name.endswith("/step.json")]) == 12

    rng = random.Random(seed)
    in_step = 0
    for _ in range(10):
        process = start(tmp_path / "rough")
        assert process.stdout is not None
        for _ in range(rng.randint(1, 3)):
            process.stdout.readline()
        time.sleep(rng.uniform(0, 0.015))
        process.kill()
        process.communicate()
        assert process.returncode == -9, "the pipeline was over before it was killed"
        in_step += any(path.suffix == ".part" for path in (tmp_path / "rough").glob("*/steps/*"))
    assert in_step >= 5
    finish(tmp_path / "rough")
    assert tree(tmp_path / "rough") == calm


# Every single call of the file system

CALLS = ("open", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")


class Fault:
    """Counts the calls that change files, and lets the one with a given number (and all after it) raise."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, error: BaseException, lasting: bool) -> None:
        self.calls = 0
        self.at, self.error, self.lasting = at, error, lasting
        for name in CALLS:
            patch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.at or (self.lasting and self.calls > self.at):
                raise self.error
            return call(*args, **kwargs)

        return wrapped


def small_run(root: Path) -> None:
    def rows(part: Path) -> None:
        (part / "deep").mkdir()
        (part / "deep" / "rows.txt").write_text("rows")

    def slow(part: Path) -> None:
        for number in range(len(read_jsonl(part / "rows.jsonl").records), 3):
            append_jsonl(part / "rows.jsonl", [{"number": number}])

    with RunFolder.open(root, name="demo", spec={"name": "demo"}) as folder:
        folder.step("rows", "rows", {}, rows)
        folder.step("slow", "slow", {}, slow, resume=True)
        folder.write("results.json", "{}")


def damage(root: Path) -> None:
    """Leave a run whose first step must be removed and made again, and whose second is not finished."""
    small_run(root)
    first, second = sorted(root.glob("demo-*/steps/*"))
    (first / "deep" / "rows.txt").write_text("ROWS")
    (second / "step.json").unlink()
    (second / "rows.jsonl").write_text('{"number": 0}\n{"num')
    second.rename(second.with_name(second.name + ".part"))


@pytest.mark.parametrize("prepare", [Path.mkdir, damage])
@pytest.mark.parametrize("full", [False, True])
def test_an_interruption_or_a_full_disk_at_any_call_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path], None], full: bool
):
    small_run(tmp_path / "calm")
    calm = tree(tmp_path / "calm")
    calm_steps = {step.label: tree(step.path) for step in check(next((tmp_path / "calm").iterdir())).intact}
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if full else KeyboardInterrupt()
    at = 0
    while True:
        at += 1
        root = tmp_path / str(at)
        prepare(root)
        with monkeypatch.context() as patch:
            fault = Fault(patch, at, error, lasting=full)
            said = "disk is full"
            try:
                small_run(root)
            except KeyboardInterrupt:
                assert not full
            except StoreError as raised:
                said = str(raised)
        assert "disk is full" in said
        if fault.calls < at:
            break
        for spec in root.glob("demo-*/spec.yaml"):
            for step in check(spec.parent).intact:
                assert tree(step.path) == calm_steps[step.label]
        small_run(root)
        assert tree(root) == calm, f"call {at}"
    assert at > 50
