"""What stands for a model's weights where work is stored, so that other weights under the same name are noticed.

identity_of("hf/folder:adapter")

It does not know the files of a name in the hub before they are loaded: the name stands for those.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from undertow.system.progress import Progress


def identity_of(name: str, progress: Progress | None = None) -> str:
    """Return what stands for a model's weights, its adapter's included; it is fetched if it must be.

    Raises:
        ModelError: no such model.
        AssetError: the embedded model cannot be fetched.
    """
    from undertow.models.local import find_model

    return model_digest(name, find_model(name, progress=progress))


def model_digest(name: str, folder: Path | None) -> str:
    """Return what stands for a model's weights in the identity of a step.

    For the embedded model the pinned hash of its package's file; for a folder the hash of its files; for a name in
    the hub the name, since its files are not known before they are loaded. An adapter's hash follows its base's.

    Args:
        name: Its Undertow name.
        folder: Where its base lies, if it is on this machine.
    """
    base, _, adapter = name.partition(":")
    digest = _base_digest(base, folder)
    return f"{digest} {_folder_digest(Path(adapter))}" if adapter else digest


def _base_digest(name: str, folder: Path | None) -> str:
    if name.startswith("embedded/"):
        from undertow.assets import Wheels, find_asset

        origin = find_asset(name.partition("/")[2]).origin
        return origin.sha256 if isinstance(origin, Wheels) else name
    return name if folder is None else _folder_digest(folder)


def _folder_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".safetensors", ".model", ".jinja", ".txt") and path.is_file():
            with path.open("rb") as file:
                digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
