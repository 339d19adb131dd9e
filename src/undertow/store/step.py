"""One step of a run folder: its identity, the list of its files, and whether they are still what they were.

A finished step is a folder `<label>--<id>` with a `step.json` that lists every other file with its size and
hash. This module knows nothing of locks, order or progress (`folder.py` does), nor of what a step computes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from undertow.errors import InputError, StoreError
from undertow.store.files import list_files, part_of, read_bytes, sha256_of, sync_tree, write_atomic

MANIFEST: Final = "step.json"
BIG: Final = 64 * 1024**2
"""Bytes above which a file is checked by its size alone when a run goes on; `check` hashes it too."""

KIND_VERSIONS: Mapping[str, int] = {
    **dict.fromkeys(("panel", "capability", "unnamed", "lineage", "sample"), 2),  # of an audit: one record a step
    **dict.fromkeys(("reference", "virtual"), 2),  # of a scan: the same
    "plan": 3,  # of a scan: three virtual students beside lists of the base
    "also": 3,  # of a scan: told passes in bf16; the temperature of free text by a row more
    "mitigated": 3,  # the temperature of many rows is refined
    "rows": 2,  # teachers of gradient steps write in bf16 with whole rotary frequencies
}
"""Raise a kind's number (1 when absent) when its code makes other bytes from the same key."""

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_MAX_MANIFEST = 64 * 1024**2


@dataclass(frozen=True)
class Step:
    """A step by its names; `path` is where it lies once it is finished."""

    kind: str
    label: str
    id: str
    path: Path


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What `step.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: str
    version: int
    key: dict[str, Any]
    files: dict[str, _File]

    def to_bytes(self) -> bytes:
        """Serialise; the same step gives the same bytes whatever the order of its keys."""
        return (json.dumps(self.model_dump(), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


class Examined(NamedTuple):
    """What was found in a step's folder."""

    manifest: Manifest | None
    damage: str
    """Why it is not what was finished; empty when it is."""


def check_label(label: str, what: str = "label") -> str:
    """Return the label, or raise `InputError` if it could not be a file name everywhere."""
    if not _LABEL.fullmatch(label) or label.endswith(".part"):
        raise InputError(
            f"{label!r} cannot name a file of a run folder",
            what,
            "Use lower-case letters, digits, dot, dash and underscore.",
        )
    return label


def canonical_json(value: Mapping[str, Any], where: str) -> str:
    """Serialise to the one text that stands for a value: sorted keys, no spaces, finite numbers only.

    Raises:
        InputError: the value is not plain JSON.
    """
    try:
        _check_keys(value)
        return json.dumps(dict(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"cannot be written as JSON ({error})", where, "Use text, finite numbers, lists and mappings."
        ) from error


def step_id(kind: str, key: Mapping[str, Any]) -> str:
    """Name a step by everything that its bytes depend on: twelve hex digits.

    Args:
        kind: What sort of step it is; its version in `KIND_VERSIONS` enters the hash.
        key: Every setting that the step depends on, and the ids of the steps that it reads.

    Raises:
        InputError: the key is not plain JSON.
    """
    return _identify(kind, KIND_VERSIONS.get(kind, 1), key)


def locate(steps: Path, kind: str, label: str, key: Mapping[str, Any]) -> Step:
    """Say where in the folder `steps` a step lies or will lie."""
    identity = step_id(kind, key)
    return Step(kind, label, identity, steps / f"{check_label(label)}--{identity}")


def seal(folder: Path, kind: str, key: Mapping[str, Any]) -> Manifest:
    """Hash what a step wrote, list it in `step.json`, and flush everything to the disk.

    Raises:
        StoreError: the step wrote a link, or a `step.json` of its own.
    """
    found = list_files(folder)
    if MANIFEST in found:
        raise StoreError(f"the step wrote a file called {MANIFEST}", str(folder), "Give that file another name.")
    manifest = Manifest(
        kind=kind,
        version=KIND_VERSIONS.get(kind, 1),
        # Through JSON, so that what is compared later is what was stored: tuples become lists.
        key=json.loads(canonical_json(key, f"the key of {folder.name}")),
        files={name: _File(bytes=size, sha256=sha256_of(folder / name)) for name, size in found.items()},
    )
    write_atomic(folder / MANIFEST, manifest.to_bytes())
    sync_tree(folder, found)
    return manifest


def unseal(folder: Path) -> None:
    """Undo a `seal` that was interrupted, so that the step's work can go on."""
    for name in (MANIFEST, part_of(folder / MANIFEST).name):
        (folder / name).unlink(missing_ok=True)


def examine(folder: Path, hash_up_to: float = BIG) -> Examined:
    """Compare a finished step with its `step.json`. Nothing outside the folder is read, whatever it holds.

    This finds accidents, not forgery: who can write the files can write a fitting `step.json` too.

    Args:
        folder: The step's folder under its final name.
        hash_up_to: Bytes up to which a file is hashed; above, its size must do.

    Raises:
        OSError: something cannot be read for lack of a permission or by a fault of the disk.
    """
    try:
        found = list_files(folder)
        manifest = _read_manifest(folder)
    except StoreError as error:
        return Examined(None, f"{_inside(error.where, folder)} {error.what}")
    for name, record in manifest.files.items():
        if name not in found:
            return Examined(manifest, f"{name} is missing")
        if found[name] != record.bytes:
            return Examined(manifest, f"{name} has {found[name]:,} bytes instead of {record.bytes:,}")
    for name in found:
        # Hidden files are what desktops and editors leave behind; no step reads them.
        if name not in manifest.files and name != MANIFEST and not _hidden(name):
            return Examined(manifest, f"{name} was added")
    for name, record in manifest.files.items():
        if record.bytes <= hash_up_to and sha256_of(folder / name) != record.sha256:
            return Examined(manifest, f"{name} was changed")
    return Examined(manifest, "")


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        data = read_bytes(path, _MAX_MANIFEST)
    except FileNotFoundError as error:
        raise StoreError("is missing", str(path)) from error
    try:
        manifest = Manifest.model_validate(json.loads(data))
        identity = _identify(manifest.kind, manifest.version, manifest.key)
        intact = manifest.to_bytes() == data
    except (ValidationError, ValueError, RecursionError) as error:
        raise StoreError("does not describe a step", str(path)) from error
    if not intact or identity != folder.name.rpartition("--")[2]:
        raise StoreError("was changed", str(path))
    return manifest


def _identify(kind: str, version: int, key: Mapping[str, Any]) -> str:
    whole = {"kind": kind, "version": version, "key": dict(key)}
    text = canonical_json(whole, f"the key of a {kind!r} step")
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _check_keys(value: object) -> None:
    # json.dumps would turn the keys 1 and "1" into the same text.
    if isinstance(value, Mapping):
        for key, item in cast(Mapping[object, object], value).items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is no text")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in cast(list[object], value):
            _check_keys(item)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _inside(where: str, folder: Path) -> str:
    path = Path(where)
    return path.relative_to(folder).as_posix() if path != folder and path.is_relative_to(folder) else "it"
