"""Reuse of steps from other run folders: what one command computed, a larger one need not compute again.

A step's name is a hash of its whole key, so a step of the same name is equal. Only what was measured in it, such as the
time of a row, is that of the other run. Only finished and intact steps are copied, file by file, and hashed here. The
other folder is only read, and a process may be at work in it. A failed copy is no error: the step is made instead.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from undertow.errors import StoreError
from undertow.store.files import remove, sha256_of, sync, sync_tree
from undertow.store.step import MANIFEST, Manifest, Step, examine


def reuse(step: Step, folders: Iterable[Path], part: Path) -> bool:
    """Copy a step from the first folder that has it whole.

    Args:
        step: That is missing.
        folders: Where other runs' steps lie.
        part: Where the copy is built; nothing is left there.

    Returns:
        Whether the step is there now.

    Raises:
        OSError: the copy is whole, and cannot be given its name.
    """
    for folder in folders:
        try:
            if not stat.S_ISDIR(folder.lstat().st_mode):
                continue
            found = examine(folder / step.path.name, -1)
            if found.manifest is None or found.damage:
                continue
            _copy(folder / step.path.name, part, found.manifest)
        except (OSError, StoreError):
            with suppress(OSError):
                remove(part)
        else:
            part.rename(step.path)
            sync(step.path.parent)
            return True
    return False


def _copy(source: Path, part: Path, manifest: Manifest) -> None:
    """Copy what a manifest lists, and the manifest.

    Raises:
        OSError: something cannot be read or written.
        StoreError: a copy is not what the manifest says.
    """
    remove(part)
    part.mkdir()
    for name in (*manifest.files, MANIFEST):
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, part / name, follow_symlinks=False)
    for name, record in manifest.files.items():
        if sha256_of(part / name) != record.sha256:
            raise StoreError("was changed", str(source / name))
    if (part / MANIFEST).is_symlink() or (part / MANIFEST).read_bytes() != manifest.to_bytes():
        raise StoreError("was changed", str(source / MANIFEST))
    sync_tree(part, dict.fromkeys((*manifest.files, MANIFEST), 0))
