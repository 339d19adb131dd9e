"""An asset made on the spot: small wheels in a folder, and a conversion that copies."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

from undertow.assets import Asset, Licence, Part, Wheels
from undertow.assets.catalog import Convert


def copy(payload: Path, out: Path) -> None:
    shutil.copy(payload, out / "copy.bin")


def make_asset(
    folder: Path,
    contents: tuple[bytes, ...] = (b"first half, ", b"second half"),
    *,
    convert: Convert = copy,
    member: str = "pack/data.bin",
    needs: tuple[str, ...] = (),
    ready_bytes: int = 100,
) -> Asset:
    """Write one wheel for each content into `folder`; return the asset that joins them."""
    folder.mkdir(exist_ok=True)
    parts: list[Part] = []
    for number, content in enumerate(contents):
        wheel = folder / f"undertow_fake_{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(member, content)
            archive.writestr("pack/__init__.py", "raise SystemExit('a wheel was imported')")
        parts.append(Part(f"undertow-fake-{number}", "1.0", sha256(wheel.read_bytes()), member))
    origin = Wheels(tuple(parts), "data.bin", sha256(b"".join(contents)), convert, needs)
    return Asset("fake", "data", origin, Licence("MIT", "Made up."), 1000, ready_bytes, "A fake.")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
