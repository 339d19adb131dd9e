"""The lock of a run folder: one process works in it, and others are told which. It knows nothing of steps."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from undertow.errors import StoreError
from undertow.store.files import read_bytes, write_atomic

if TYPE_CHECKING:
    from filelock import BaseFileLock

_LOCK: Final = ".lock"
_HOLDER: Final = ".holder"


def acquire(path: Path) -> BaseFileLock:
    """Lock a folder for this process, and note which one that is.

    Raises:
        StoreError: another process works in it, or a link stands where the lock should be.
        OSError: it cannot be written.
    """
    from filelock import FileLock, Timeout

    if (path / _LOCK).is_symlink():
        raise StoreError("is a link", str(path / _LOCK), "Remove it.")
    # The kernel holds this lock for the process, so it goes when the process does, however that ends.
    lock = FileLock(path / _LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"{_holder(path)} works in it", str(path), "Wait until that one ends, or stop it, and run again."
        ) from error
    try:
        write_atomic(path / _HOLDER, f"{os.getpid()}\n".encode())
    except BaseException:
        lock.release()
        raise
    return lock


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        return f"process {int(read_bytes(path / _HOLDER, 100))}"
    return "another process"


def forget_holder(path: Path) -> None:
    """Remove the note of who works in a folder; if that fails, the lock is what counts."""
    with suppress(OSError):
        (path / _HOLDER).unlink(missing_ok=True)


def discard(path: Path, spec: str, steps: str) -> None:
    """Remove a folder that holds no step, unless another process works in it.

    Raises:
        OSError: it holds something, or another process came in.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path / _LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return
    try:
        (path / steps).rmdir()
        (path / spec).unlink(missing_ok=True)
        (path / _LOCK).unlink(missing_ok=True)
        path.rmdir()
    finally:
        lock.release()
