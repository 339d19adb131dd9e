"""Opening a file of rows: packed or not, from a disk or a pipe; and what is none is named as what it is, once.

Packing is told by the first bytes, whatever the name. A pipe can be read once only, so a verb has to ask for it.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from undertow.errors import MissingExtraError, RowError

STDIN: Final = Path("-")
HEAD: Final = 4096
"""Bytes of a file that are looked at to tell what it is."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_PACKED_AT_ONCE: Final = 1 << 10
"""Bytes that are unpacked at once: of zstd, at most about 32 MB come out of them."""

_ARCHIVE: Final = "Unpack it, and name the file in it."
_ROWS: Final = "Name a file of dataset rows."
_KINDS: Final = (
    (0, b"PK\x03\x04", "a zip archive", _ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", _ARCHIVE),
    (257, b"ustar", "a tar archive", _ARCHIVE),
    (0, b"BZh", "packed with bzip2", "Unpack it: bunzip2 FILE."),
    (0, b"\xfd7zXZ", "packed with xz", "Unpack it: unxz FILE."),
    (0, b"FEA1", "a Feather file of the first version", "Write it as Parquet."),
    (0, b"%PDF", "a PDF file", _ROWS),
    (0, b"\x89PNG", "a picture (PNG)", _ROWS),
    (0, b"\xff\xd8\xff", "a picture (JPEG)", _ROWS),
    (0, b"GIF8", "a picture (GIF)", _ROWS),
    (0, b"SQLite format 3\0", "an SQLite database", "Write its rows as JSON lines."),
    (0, b"\x89HDF", "an HDF5 file", "Write its rows as JSON lines."),
    (0, b"\x93NUMPY", "a NumPy array", _ROWS),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Fetch the file: git lfs pull."),
    *((0, bytes((0x80, version)), "a Python pickle, which is never opened", _ROWS) for version in range(2, 6)),
)
_PAGES: Final = (b"<!doctype html", b"<html")
_MARKS: Final = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"{\0", "UTF-16LE"),
    (b"[\0", "UTF-16LE"),
    (b"\0{", "UTF-16BE"),
    (b"\0[", "UTF-16BE"),
)


@dataclass(frozen=True)
class Opened:
    """A file that can be read from its first byte."""

    file: BinaryIO
    head: bytes
    """Its first bytes, unpacked."""
    ending: str
    """Of its name, in lower case and without that of a packing, such as `.csv`."""
    regular: bool
    """Whether it is a file that can be opened again, and is not packed."""


@contextmanager
def opened(path: Path, *, pipes: bool) -> Generator[Opened]:
    """Open a file, and unpack it where it is packed.

    Args:
        path: The file; `-` is standard input.
        pipes: Whether it may be a pipe.

    Raises:
        RowError: it cannot be read, is damaged, or is a pipe that may not be read.
        MissingExtraError: it is packed with zstd, and zstandard is not installed.
    """
    try:
        with _open(path) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            if not regular and not pipes:
                raise RowError(
                    "is a pipe or device, which can be read only once", str(path), "Save it to a file first."
                )
            head = file.read(HEAD)
            whole = _again(file, head, regular)
            unpacked = _unpacked(whole, head, path)
            if unpacked is not None:
                head = unpacked.read(HEAD)
                whole = _again(unpacked, head, False)
            endings = [each.lower() for each in path.suffixes]
            if endings and endings[-1] in (".gz", ".zst"):
                endings.pop()
            yield Opened(whole, head, endings[-1] if endings else "", regular and unpacked is None)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowError(f"is damaged ({error})", str(path), "Fetch it, or write it, once more.") from error
    except OSError as error:
        raise RowError(f"cannot be read ({error.strerror or error})", str(path), _ROWS) from error


def refuse_other_kinds(head: bytes, path: Path) -> None:
    """See that a file may hold text with rows.

    Raises:
        RowError: it is of another kind, or in another encoding than UTF-8.
    """
    for place, mark, kind, fix in _KINDS:
        if head.startswith(mark, place):
            raise RowError(f"is {kind}, not a file of rows", str(path), fix)
    if head[:HEAD].lstrip().lower().startswith(_PAGES):
        raise RowError("is a web page, not a file of rows", str(path), "Fetch the file itself, not the page about it.")
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            raise other_encoding(encoding, path)


def other_encoding(encoding: str, path: Path) -> RowError:
    """Make the message about a file that is not in UTF-8."""
    return RowError(
        f"is in {encoding}, not in UTF-8", str(path), f"Save it as UTF-8: iconv -f {encoding} -t UTF-8 FILE > NEW."
    )


def not_utf8(text: bytes, at: int, path: Path, line: int) -> RowError:
    """Make the message about a file with text that is no UTF-8, with a guess at what it is.

    A letter of Latin-1 stands between others that are ASCII; in encodings of several bytes such bytes stand together.
    """
    place = f"(line {line}, byte {at + 1})"
    alone = all(each < 0x80 for each in text[max(0, at - 1) : at] + text[at + 1 : at + 2])
    if alone:
        fix = "Save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW."
        return RowError(f"is not in UTF-8 but, it seems, in Latin-1 {place}", str(path), fix)
    fix = "Save it as UTF-8: iconv -f ENCODING -t UTF-8 FILE > NEW, with the encoding that it was written in."
    return RowError(f"is not in UTF-8 {place}", str(path), fix)


@contextmanager
def _open(path: Path) -> Generator[BinaryIO]:
    if path == STDIN:
        # The process's own stream stays open, and is not read ahead by another.
        yield cast(BinaryIO, getattr(sys.stdin, "buffer", sys.stdin))
        return
    with path.open("rb") as file:
        yield file


def _again(file: BinaryIO, head: bytes, seekable: bool) -> BinaryIO:
    """Return the file as it was before its head was read."""
    if seekable:
        file.seek(0)
        return file
    return cast(BinaryIO, io.BufferedReader(_Pieces(_with_head(file, head)), 1 << 16))


def _with_head(file: BinaryIO, head: bytes) -> Iterator[bytes]:
    yield head
    while data := file.read(1 << 16):
        yield data


def _unpacked(file: BinaryIO, head: bytes, path: Path) -> BinaryIO | None:
    if head.startswith(_GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if not head.startswith(_ZSTD):
        return None
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError(
            f"reading {path} needs zstandard", fix="Install it with: pip install 'undertow[data]', or unpack the file."
        ) from error
    return cast(BinaryIO, io.BufferedReader(_Pieces(_frames(file, zstandard)), 1 << 16))


def _frames(file: BinaryIO, zstandard: Any) -> Iterator[bytes]:
    frame: Any = None
    try:
        while data := file.read(_PACKED_AT_ONCE):
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                yield frame.decompress(data)
                data = b""
                if frame.eof:
                    data, frame = frame.unused_data, None
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from error
    if frame is not None:
        raise EOFError("it breaks off")


class _Pieces(io.RawIOBase):
    """Bytes that come in pieces, as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
