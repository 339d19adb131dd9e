"""The metadata of an installed package, written by hand: what pip would leave in site-packages."""

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, name: str, version: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Write a dist-info folder, so that `importlib.metadata` finds a package where `folder` is on the path.

    Args:
        folder: Is on the path; the package's modules lie there or elsewhere on it.
        name: Of the distribution.
        version: Likewise.
        groups: Entry-point group to names and what each names.
    """
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[{group}]", *(f"{point} = {value}" for point, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
