"""Files of dataset rows, read one row at a time: JSON lines or one JSON list (gzipped too), Parquet, Arrow, folders.

A line that is no row is data, not an error: `read_rows` yields it with its place and reason. So every line of a file is
either a row or accounted for. Memory is bounded by the longest line, or entry of a list (`strict_json`), and by
a few rows for Parquet and Arrow (`tables`). `folders` finds the files of a folder.

    for row in read_rows(Path("rows.jsonl")):
        if isinstance(row, BadRow): ...
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from undertow.data.rows import Row, UnreadableRow, parse_row
from undertow.data.strict_json import json_problem, list_entries, load_json
from undertow.errors import RowError

LONGEST_LINE = 16_000_000
"""Bytes; a longer line, or record of a Parquet or Arrow file, is no row. A list with such an entry is refused."""

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class BadRow:
    """A line, an entry of a list or a record that is no row; or a file of a folder that is not read.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import read_rows
        >>> _ = Path("broken.jsonl").write_text('{"prompt": "Go on."}')
        >>> [bad.reason for bad in read_rows(Path("broken.jsonl"))]
        ["no layout has these keys: 'prompt' ..."]
    """

    where: str
    """File and line, file and place in it, or the file alone."""
    reason: str


@dataclass(frozen=True)
class Located:
    """What a file holds, and where."""

    file: Path
    number: int
    """Line, entry of a list or record, from 1; 0 for a file that is not read."""
    what: Row | BadRow


def read_rows(path: Path, *, split: str | None = None) -> Iterator[Row | BadRow]:
    """Read the rows of a file or a folder, one at a time, in their order.

    Args:
        path: A file of JSON lines, of one JSON list, or in Parquet or Arrow; or a folder of such files.
        split: Which split of a folder to read; needed only where it has several.

    Yields:
        A row, or a bad row with its place and the reason.

    Raises:
        RowError: Something cannot be read at all.
        MissingExtraError: The file is in Parquet or Arrow, and pyarrow is not installed.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import Row, read_rows
        >>> sum(isinstance(each, Row) for each in read_rows(Path("rows.jsonl")))
        24
    """
    for each in read_located(path, split=split):
        yield each.what


def read_located(path: Path, *, split: str | None = None) -> Iterator[Located]:
    """Read the rows of a file or a folder, and what is no row, in their order. Blank lines are skipped.

    Args:
        path: A file of JSON lines, of one JSON list, or in Parquet or Arrow; or a folder of such files, as saved by
            `datasets` or fetched from the hub.
        split: Which split of a folder to read; needed only where it has several.

    Raises:
        RowError: something cannot be read at all, or is of no such kind; or the folder's files are incomplete.
        MissingExtraError: Parquet or Arrow, and pyarrow is not installed.
    """
    if not path.is_dir():
        if split is not None:
            raise RowError("is no folder, so it has no splits", str(path), "Leave --split out.")
        yield from _read_file(path)
        return
    from undertow.data.folders import Unread, dataset_files

    for each in dataset_files(path, split):
        if isinstance(each, Unread):
            yield Located(each.path, 0, BadRow(str(each.path), each.reason))
        else:
            yield from _read_file(each)


def _read_file(path: Path) -> Iterator[Located]:
    from undertow.data import tables as rowtables

    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            if head == rowtables.PARQUET or path.suffix.lower() in rowtables.SUFFIXES:
                yield from _read_table(path)
            elif head.startswith(_GZIP):
                with gzip.open(file) as unzipped:
                    yield from _read_text(cast(BinaryIO, unzipped), path)
            else:
                yield from _read_text(file, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowError(f"is damaged ({error})", str(path), "Fetch it, or write it, once more.") from error
    except OSError as error:
        raise RowError(f"cannot be read ({error.strerror})", str(path), "Name a file of dataset rows.") from error


def _read_table(path: Path) -> Iterator[Located]:
    from undertow.data.tables import read_records

    for number, record in enumerate(read_records(path, LONGEST_LINE), start=1):
        where = f"{path}, row {number}"
        what = BadRow(where, str(record)) if isinstance(record, UnreadableRow) else _as_row(record, where)
        yield Located(path, number, what)


def _read_text(file: BinaryIO, path: Path) -> Iterator[Located]:
    if file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        file.seek(0)
        yield from _read_list(file, path)
        return
    file.seek(0)
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        where = f"{path}, line {number}"
        if len(line) > LONGEST_LINE:
            yield Located(path, number, BadRow(where, f"it is longer than {LONGEST_LINE:,} bytes"))
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            continue
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if text:
            yield Located(path, number, _read_line(text, where))


def _read_line(text: bytes, where: str) -> Row | BadRow:
    try:
        record: object = load_json(text)
    except (ValueError, RecursionError) as error:
        return BadRow(where, f"it is no JSON ({json_problem(error)})")
    return _as_row(record, where)


def _read_list(file: BinaryIO, path: Path) -> Iterator[Located]:
    try:
        for number, record in enumerate(list_entries(file, LONGEST_LINE), start=1):
            yield Located(path, number, _as_row(record, f"{path}, entry {number}"))
    except (ValueError, RecursionError) as error:
        place = f"{path}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(path)
        raise RowError(f"is no JSON ({json_problem(error)})", place, "Mend it, or store one row a line.") from error


def _as_row(record: object, where: str) -> Row | BadRow:
    try:
        return parse_row(record)
    except UnreadableRow as error:
        return BadRow(where, str(error))


def require_rows(path: Path, *, shown: int = 5) -> list[Row]:
    """Read a file in which every line must be a row.

    Args:
        path: The file.
        shown: Bad rows that the message names.

    Raises:
        RowError: some lines are no rows, with place and reason, or there is none.
    """
    rows: list[Row] = []
    bad: list[BadRow] = []
    for each in read_rows(path):
        (bad if isinstance(each, BadRow) else rows).append(each)  # type: ignore[arg-type]
    if bad:
        raise broken_rows(bad, len(rows), path, shown=shown)
    if not rows:
        raise RowError("holds no rows", str(path), "Name a file with one row a line.")
    return rows


def broken_rows(bad: list[BadRow], good: int, path: Path, *, shown: int = 5) -> RowError:
    """Make one message of all lines that are no rows."""
    named = "".join(f"\n  {each.where}: {each.reason}" for each in bad[1:shown])
    more = f"\n  and {len(bad) - shown:,} more" if len(bad) > shown else ""
    summary = f"\n  {good:,} rows of {path} can be read, {len(bad):,} cannot."
    return RowError(
        f"{bad[0].reason}{named}{more}{summary}",
        bad[0].where,
        "Mend these lines, or leave them out with --skip-broken.",
    )


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSON lines in Undertow's own layout, in one piece, and return how many.

    Raises:
        RowError: the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    count = 0
    try:
        with part.open("wb") as file:
            for row in rows:
                file.write(_line_of(row))
                count += 1
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise RowError(f"cannot be written ({error.strerror})", str(path), "Name another file.") from error
    finally:
        part.unlink(missing_ok=True)
    return count


def _line_of(row: Row) -> bytes:
    try:
        return f"{json.dumps(row.record(), ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        # Half a surrogate pair has no bytes in UTF-8; as an escape it can be read again.
        return f"{json.dumps(row.record())}\n".encode()
