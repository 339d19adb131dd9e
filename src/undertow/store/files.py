"""Files that survive a kill, a power cut and a stranger: atomic writes, hashes, listings without links.

Knows nothing of runs or steps. Not run by itself.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from undertow.errors import StoreError, UndertowError

# Absent on Windows, where a link needs a privilege to be made.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain(error: OSError, where: Path) -> StoreError:
    """Turn what the operating system said into a message that names the file and what to do."""
    place = str(error.filename or where)
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        fix = "Free some space and run the same command again: it goes on from the last finished step."
        return StoreError(f"the disk is full ({reason})", place, fix)
    if error.errno in _FORBIDDEN:
        return StoreError(
            f"may not be written or read ({reason})", place, "Change its permissions or name another folder."
        )
    return StoreError(f"cannot be written or read ({reason})", place, "Check the disk and run the same command again.")


@contextmanager
def storing(where: Path) -> Generator[None]:
    """Raise what the file system refuses inside the block as a `StoreError`."""
    try:
        yield
    except (UndertowError, BrokenPipeError):
        # A pipe that breaks is its reader's doing.
        raise
    except OSError as error:
        raise explain(error, where) from error


@contextmanager
def building(where: Path) -> Generator[None]:
    """Like `storing`, for foreign code: only a full disk or a missing permission becomes a `StoreError`.

    Libraries wrap a full disk in exceptions of their own (safetensors, torch), so the text is looked at too;
    anything else (a lost connection is an `OSError` as well) passes through unchanged.
    """
    try:
        yield
    except UndertowError:
        raise
    except OSError as error:
        if error.errno in _FULL or error.errno in _FORBIDDEN:
            raise explain(error, where) from error
        raise
    except Exception as error:
        if os.strerror(errno.ENOSPC) in str(error):
            raise explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), where) from error
        raise


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes, never through a link.

    Raises:
        OSError: it is absent, a link, no regular file, or longer.
    """
    handle = os.open(path, os.O_RDONLY | _NO_LINK)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        if found.st_size > limit:
            raise OSError(errno.EINVAL, f"longer than {limit:,} bytes", str(path))
        return file.read()


def sha256_of(path: Path) -> str:
    """Hash a regular file, never through a link."""
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_LINK), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(folder: Path) -> dict[str, int]:
    """List the regular files below `folder` as relative POSIX paths with their sizes in bytes, in order.

    Raises:
        StoreError: something below is a link, a device or a pipe, or `folder` is no folder.
        OSError: a folder cannot be read.
    """
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise StoreError("is no folder", str(folder), "Remove it.")
    found: dict[str, int] = {}
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    name = Path(entry.path).relative_to(folder).as_posix()
                    found[name] = entry.stat(follow_symlinks=False).st_size
                else:
                    raise StoreError("is a link or no regular file", entry.path, "Remove it.")
    return dict(sorted(found.items()))


def remove(path: Path) -> None:
    """Remove a file, a link (not what it points to) or a whole folder, if there is one."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        shutil.rmtree(path)
    else:
        path.unlink()


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder, and orders its journal itself
    handle = os.open(path, os.O_RDONLY | _NO_LINK)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path, files: dict[str, int]) -> None:
    """Flush `files` and every folder between them and `folder`, innermost first."""
    folders = {folder}
    for name in files:
        sync(folder / name)
        parent = (folder / name).parent
        while parent != folder:
            folders.add(parent)
            parent = parent.parent
    for each in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        sync(each)


def part_of(path: Path) -> Path:
    """Name the file that `write_atomic` writes before it takes its final name."""
    return path.with_name(f".{path.name}.part")


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a kill at any moment, sees the old content or the new one."""
    part = part_of(path)
    remove(part)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync(path.parent)
