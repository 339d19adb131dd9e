"""Hashes that stand for a model's files. See `identity` for how a name is turned into one."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from undertow.models.names import split_name


def model_digest(name: str, folder: Path | None) -> str:
    """Return what stands for a model's weights in the identity of a step.

    For the embedded model the pinned hash of its package's file; for a folder the hash of its files; for a name in
    the hub the name, since its files are not known before they are loaded. Adapters' hashes follow their base's.

    Args:
        name: Its Undertow name.
        folder: Where its base lies, if it is on this machine.
    """
    base, adapters = split_name(name)
    return " ".join([_base_digest(base, folder), *(folder_digest(Path(adapter)) for adapter in adapters)])


def _base_digest(name: str, folder: Path | None) -> str:
    if name.startswith("embedded/"):
        from undertow.assets import Wheels, find_asset

        origin = find_asset(name.partition("/")[2]).origin
        return origin.sha256 if isinstance(origin, Wheels) else name
    return name if folder is None else folder_digest(folder)


def folder_digest(folder: Path) -> str:
    """Return what stands for the files of a model or an adapter."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".safetensors", ".model", ".jinja", ".txt") and path.is_file():
            digest.update(os.fsencode(path.name) + f" {file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file; named twice in a process, as by a scan and its load, it is read once."""
    seen = path.stat()
    return _file_digest(str(path.absolute()), seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)


@lru_cache(maxsize=1024)
def _file_digest(path: str, *_stat: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
