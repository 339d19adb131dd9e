"""JSON lines that are written one by one and may be cut off: a torn last line is owed again, never a crash.

For the files that a step of a run folder writes as it goes on; `undertow.data.rows` reads strangers' datasets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from undertow.errors import StoreError
from undertow.store.files import read_bytes, storing

_MAX_BYTES = 4 * 1024**3
_BLOCK = 1 << 16


class JsonLines(NamedTuple):
    """The records of a file, and what a kill left behind its last whole line."""

    records: list[dict[str, Any]]
    torn: int
    """Bytes after the last line end; the record that they began has to be made again."""


def append_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Add records to the end of a file, after cutting a torn last line off; the file is flushed to the disk.

    Raises:
        StoreError: the file cannot be written or is a link, or a record holds what JSON cannot (a number that
            is not finite).
    """
    try:
        lines = [json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records]
    except (TypeError, ValueError) as error:
        raise StoreError(f"a record cannot be stored ({error})", str(path), "Look at what made it.") from error
    data = "".join(lines).encode("utf-8", "surrogatepass")
    with storing(path):
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(path, flags, 0o666), "r+b") as file:
            end = _end_of_lines(file)
            file.truncate(end)
            file.seek(end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def read_jsonl(path: Path) -> JsonLines:
    """Read the whole lines of a file; one that does not exist yet holds none.

    Raises:
        StoreError: the file cannot be read, or a line before the last holds no JSON object.
    """
    with storing(path):
        try:
            data = read_bytes(path, _MAX_BYTES)
        except FileNotFoundError:
            return JsonLines([], 0)
    # A record without its line end counts as torn even if it parses: it may be cut inside its last number.
    end = data.rfind(b"\n") + 1
    records: list[dict[str, Any]] = []
    for number, line in enumerate(data[:end].splitlines(), start=1):
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _broken(path, number) from error
        if not isinstance(record, dict):
            raise _broken(path, number)
        records.append(record)
    return JsonLines(records, len(data) - end)


def _end_of_lines(file: IO[bytes]) -> int:
    # Read backwards, so that a long file costs no more to add to than a short one.
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _broken(path: Path, number: int) -> StoreError:
    return StoreError(
        "holds no JSON object",
        f"{path}, line {number}",
        "Delete the step's folder and run again: it is made anew.",
    )
