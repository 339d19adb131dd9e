"""Where a command writes what its user named: decided for every verb, before work begins, by `check_destinations`.

    - A new file, and one that replaces a regular file, appear whole or not at all. The old file's mode is kept.
    - A pipe and a character device, such as `/dev/null`, are written to as they are.
    - The command's own standard output or error, such as `/dev/stdout`, is appended to.
    - A link that the user names is followed, and stays.
    - A link where Undertow chose the name is removed, so that nothing outside of a run folder is written.
    - A folder, a socket, a disk, a file that may not be written, and `-` are refused.

No output may be a file that the command reads, lie inside a dataset that it reads, or be an output already.

    check_destinations({"--out": out, "--sarif": sarif}, read=[rows])
    with writing(out) as file: file.write(b"...")
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Literal

from undertow.errors import InputError
from undertow.store.files import part_of, storing, sync
from undertow.system.names import split_paths

_OTHER: Final = "Write to another one."
_STDOUT, _STDERR = 1, 2


def check_destinations(
    outputs: Mapping[str, Path | None],
    *,
    read: Iterable[Path | None] = (),
    folders: Mapping[str, Path | None] | None = None,
) -> None:
    """See that every output can be written, and that it is no input and no second output.

    Args:
        outputs: Files to write by the option that names them; None where it was not given.
        read: Files and folders that the command reads; inside of such a folder nothing is written.
        folders: Folders that the command fills, likewise; no other output lies in one.

    Raises:
        InputError: an output cannot be written, or is something that the command needs otherwise.
    """
    inputs = [each for each in read if each is not None]
    filled = {option: path for option, path in (folders or {}).items() if path is not None}
    for option, path in filled.items():
        if path.exists() and not path.is_dir():
            raise InputError("is no folder", str(path), "Name another one.")
        for each in inputs:
            _refuse_input(path, each)
        for other, folder in filled.items():
            if other != option and path.resolve().is_relative_to(folder.resolve()):
                raise InputError(f"lies in the folder of {other}", str(path), _OTHER)
    taken: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None or way_to(path) == "stream":
            continue
        for each in inputs:
            _refuse_input(path, each)
        place = path.resolve()
        for other, folder in filled.items():
            if place.is_relative_to(folder.resolve()):
                raise InputError(f"lies in the folder of {other}", str(path), _OTHER)
        before = next((name for other, name in taken.items() if _same(place, other)), None)
        if before is not None:
            raise InputError(f"cannot take both {before} and {option}", str(path), "Name two files.")
        taken[place] = option


def way_to(path: Path) -> Literal["new", "replace", "stream"]:
    """Say how a file is written: as a new one, in place of another, or into something that stays.

    Raises:
        InputError: it cannot be written.
    """
    if str(path) == "-":
        raise InputError("is no name of a file", "-", "Name a file, or /dev/stdout.")
    try:
        found = path.stat()
    except FileNotFoundError:
        return _new(path)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be written ({_reason(error)})", repr(str(path)), "Name another file.") from error
    if _own_stream(found) is not None or stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return "stream"
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"is {_kind(found.st_mode)}", str(path), "Name a file in a folder that is there.")
    if not os.access(path, os.W_OK):
        raise InputError("may not be written", str(path), "Change its permissions, or name another file.")
    _require_folder(path)
    return "replace"


@contextmanager
def writing(path: Path) -> Generator[BinaryIO]:
    """Open a destination. A file takes its name when the block ends without an error; a stream is written at once.

    What is written inside the block goes through `storing`, so that a full disk has one message.

    Raises:
        InputError: it cannot be written.
        StoreError: the file system refuses.
        BrokenPipeError: nobody reads a pipe any more.
    """
    if way_to(path) == "stream":
        stream = os.fdopen(_open_stream(path), "wb")
        try:
            yield stream
        finally:
            with storing(path):
                stream.close()
        return
    final = path.resolve()
    part = part_of(final)
    with storing(path):
        if part.is_file() or part.is_symlink():
            part.unlink()
        file = os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb")
    try:
        with file:
            yield file
            with storing(path):
                file.flush()
                os.fsync(file.fileno())
                _keep_mode(file.fileno(), final)
        if way_to(path) == "stream":
            raise InputError("became a device or pipe meanwhile", str(path), _OTHER)
        with storing(path):
            part.replace(final)
            sync(final.parent)
    finally:
        part.unlink(missing_ok=True)


def write_output(path: Path, data: bytes, *, follow: bool = True) -> None:
    """Write all of a destination; see `writing`.

    Args:
        path: The destination.
        data: All that it is to hold.
        follow: Whether the user chose the name, so that a link there is meant.
    """
    if not follow and path.is_symlink():
        with storing(path):
            path.unlink()
    with writing(path) as file, storing(path):
        file.write(data)


def inputs_named(names: Iterable[str | None]) -> list[Path]:
    """Return the files and folders among names of models and traits: `hf/FOLDER:ADAPTER:...`, `mine.yaml`."""
    found: list[Path] = []
    for name in names:
        for part in split_paths((name or "").removeprefix("hf/")):
            with suppress(OSError, ValueError):
                if part and Path(part).exists():
                    found.append(Path(part))
    return found


def _refuse_input(path: Path, read: Path) -> None:
    if not read.exists():
        return
    if path.exists() and path.samefile(read):
        raise InputError(f"is a {'folder' if read.is_dir() else 'file'} that is read", str(path), _OTHER)
    if read.is_dir() and path.resolve().is_relative_to(read.resolve()):
        raise InputError(f"is inside the folder that is read, {read}", str(path), _OTHER)


def _same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


def _new(path: Path) -> Literal["new"]:
    _require_folder(path)
    return "new"


def _require_folder(path: Path) -> None:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise InputError("lies in no folder that is there", str(path), "Name a file in a folder that is there.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError("lies in a folder that may not be written", str(path), "Name a file in another folder.")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a socket" if stat.S_ISSOCK(mode) else "a disk" if stat.S_ISBLK(mode) else "no file"


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _own_stream(found: os.stat_result) -> int | None:
    """Return which of this process's own output streams a file is."""
    for number in (_STDOUT, _STDERR):
        with suppress(OSError):
            own = os.fstat(number)
            if (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino):
                return number
    return None


def _open_stream(path: Path) -> int:
    try:
        own = _own_stream(path.stat())
        # A copy shares its place in the file with the stream, so that neither writes over the other.
        return os.dup(own) if own is not None else os.open(path, os.O_WRONLY)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", str(path), "Name another file.") from error


def _keep_mode(handle: int, final: Path) -> None:
    """Give a file the owner and the mode of the one whose place it takes."""
    try:
        old = final.stat()
    except FileNotFoundError:
        return
    if os.name == "posix":
        with suppress(PermissionError):
            os.fchown(handle, old.st_uid, old.st_gid)
        os.fchmod(handle, stat.S_IMODE(old.st_mode))
