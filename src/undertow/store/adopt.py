"""Steps of another run folder, taken over: what one command computed, the next one that asks for more need not.

A step's name is everything that its bytes depend on, so a step of that name is the same wherever it lies. Only finished
and intact ones are copied, and the other folder is left as it is; a process may be at work in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from undertow.errors import StoreError
from undertow.store.files import list_files, remove, storing, sync, sync_tree
from undertow.store.folder import RunFolder, step_folders
from undertow.store.step import examine

_ADOPTED = ".adopted.part"


def adopt(folder: RunFolder, other: Path) -> int:
    """Copy the finished steps of another run folder that this one lacks.

    Args:
        folder: Which gets them.
        other: The path of the other one; if there is none, nothing happens.

    Returns:
        How many were copied. Damaged ones are not, nor are those that went away meanwhile.

    Raises:
        StoreError: this folder cannot be written.
    """
    try:
        found = step_folders(other)
    except OSError:
        return 0
    count = 0
    for step in found:
        path = folder.path / step.parent.name / step.name
        part = path.with_name(path.name + _ADOPTED)
        if path.exists():
            continue
        try:
            if examine(step, float("inf")).damage:
                continue
            files = list_files(step)
        except (OSError, StoreError):
            continue
        with storing(path):
            remove(part)
            try:
                for name in files:
                    (part / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(step / name, part / name, follow_symlinks=False)
            except FileNotFoundError:
                remove(part)
                continue
            sync_tree(part, files)
            part.rename(path)
            sync(path.parent)
        count += 1
    return count
