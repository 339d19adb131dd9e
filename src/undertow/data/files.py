"""Files of dataset rows, read one row at a time: JSON lines, JSON lists, CSV, TSV, Parquet, Arrow, and folders of them.

A line that is no row is data, not an error: `read_rows` yields it with its place and reason. So every line of a file is
either a row or accounted for. Memory is bounded by the longest line, or entry of a list (`strict_json`), and by
a few rows for Parquet and Arrow (`tables`). `folders` finds the files of a folder, `opening` unpacks them.

    for row in read_rows(Path("rows.jsonl")):
        if isinstance(row, BadRow): ...
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from undertow.data.layouts.preferences import LeftOutRow
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.layouts.records import read_record
from undertow.data.layouts.source import UnclearLayout
from undertow.data.opening import STDIN, not_utf8, opened, refuse_other_kinds
from undertow.data.rows import Row, UnreadableRow, loss_turns
from undertow.data.strict_json import DoubledKeyError, json_problem, list_entries, load_json
from undertow.data.writing import write_rows as write_rows
from undertow.errors import RowError, nearest

LONGEST_LINE = 16_000_000
"""Bytes; a longer line, or record of a Parquet or Arrow file, is no row. A list with such an entry is refused."""
NO_LOSS = "no turn of it carries loss: all weights are 0"


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
class LeftOut(BadRow):
    """A row that nothing is trained on: its weights are 0, or the user named the rows with another label."""


class Located(NamedTuple):
    """What a file holds, and where."""

    file: Path
    number: int
    """Line, entry of a list or record, from 1; 0 for a file that is not read."""
    what: Row | BadRow


def read_rows(path: Path, *, split: str | None = None, reading: Reading = RECOGNISED) -> Iterator[Row | BadRow]:
    """Read the rows of a file or a folder, one at a time, in their order.

    Args:
        path: A file or folder in any layout that `docs/data-formats.md` names, or a pipe.
        split: Which split of a folder to read; needed only where it has several.
        reading: How to read records that do not say it themselves.

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
    for each in read_located(path, split=split, reading=reading):
        yield each.what


def read_located(path: Path, *, split: str | None = None, reading: Reading = RECOGNISED) -> Iterator[Located]:
    """Read the rows of a file or a folder, and what is no row, in their order. Blank lines are skipped.

    Args:
        path: A file of JSON lines, of one JSON list, or in CSV, TSV, Parquet or Arrow, packed with gzip or zstd or not;
            a folder of such files, as saved by `datasets` or fetched from the hub; or `-` for standard input.
        split: Which split of a folder to read; needed only where it has several.
        reading: What the user says about the dataset.

    Raises:
        RowError: something cannot be read at all, or is of no such kind; a file holds two layouts; columns that the
            user named are not there; or the folder's files are incomplete.
        MissingExtraError: a package is missing: pyarrow for Parquet and Arrow, zstandard for zstd.
    """
    if not path.is_dir() or path == STDIN:
        if split is not None:
            raise RowError("is no folder, so it has no splits", str(path), "Leave --split out.")
        yield from _read_file(path, reading)
        return
    from undertow.data.folders import Unread, dataset_files

    for each in dataset_files(path, split):
        if isinstance(each, Unread):
            yield Located(each.path, 0, BadRow(str(each.path), each.reason))
        else:
            yield from _read_file(each, reading)


def _read_file(path: Path, reading: Reading) -> Iterator[Located]:
    from undertow.data import delimited, tables

    with opened(path, pipes=reading.pipes) as file:
        if file.head.startswith((tables.PARQUET, tables.ARROW_FILE)) or file.ending in tables.SUFFIXES:
            if not file.regular:
                raise RowError(
                    "is Parquet or Arrow, packed or in a pipe", str(path), "Unpack it, or save it to a file."
                )
            found = _numbered(tables.read_records(path, LONGEST_LINE))
            yield from _rows_of(found, path, "row", reading)
            return
        refuse_other_kinds(file.head, path)
        if separator := delimited.SEPARATORS.get(file.ending):
            found = _numbered(delimited.read_cells(file.file, path, separator, LONGEST_LINE, reading))
            yield from _rows_of(found, path, "row", reading)
        elif file.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            yield from _rows_of(_entries(file.file, path), path, "entry", reading)
        else:
            _refuse_other_text(file.head, path)
            yield from _rows_of(_lines(file.file, file.head, path), path, "line", reading)


def _numbered(records: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    return enumerate(records, start=1)


def _rows_of(records: Iterable[tuple[int, Any]], path: Path, unit: str, reading: Reading) -> Iterator[Located]:
    """Make rows of the records of one file, and see that they have one layout."""
    layout, first = "", 0
    awaited = set(reading.columns.values())
    marked = reading.loss == "marked"
    for number, record in records:
        try:
            if isinstance(record, UnreadableRow):
                raise record
            if awaited and isinstance(record, dict):
                awaited = _awaited(awaited, record, path, reading, first)
            row, found = read_record(record, reading)
        except UnclearLayout as error:
            raise RowError(str(error), f"{path}, {unit} {number}", error.fix) from error
        except LeftOutRow as error:
            yield Located(path, number, LeftOut(f"{path}, {unit} {number}", str(error)))
            continue
        except UnreadableRow as error:
            yield Located(path, number, BadRow(f"{path}, {unit} {number}", str(error)))
            continue
        if found != layout:
            if layout:
                raise RowError(
                    f"holds rows of two layouts: {layout} ({unit} {first}) and {found} ({unit} {number})",
                    str(path),
                    "Put each layout into a file of its own.",
                )
            layout, first = found, number
        # A row ends with an answer, which carries loss unless a weight says otherwise.
        if marked and (row.weight == 0 or "weight" in row.messages[-1]) and not loss_turns(row):
            yield Located(path, number, LeftOut(f"{path}, {unit} {number}", NO_LOSS))
        else:
            yield Located(path, number, row)
    if awaited and layout:
        name = min(awaited)
        raise RowError(f"has no column {name!r} in any row", str(path), "Leave it out of --columns, or name another.")


def _awaited(awaited: set[str], record: dict[str, Any], path: Path, reading: Reading, first: int) -> set[str]:
    """Return the named columns that no record has had yet; what makes a row is to be in the first record."""
    needed = {name for part, name in reading.columns.items() if part in ("prompt", "answer", "messages", "text")}
    missing = sorted(needed - record.keys())
    if missing and not first:
        raise RowError(f"has no column {missing[0]!r}", str(path), nearest(missing[0], list(map(str, record))))
    return awaited - record.keys()


def _lines(file: BinaryIO, head: bytes, path: Path) -> Iterator[tuple[int, Any]]:
    number = 0
    ascii_only = True
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            yield number, UnreadableRow(f"it is longer than {LONGEST_LINE:,} bytes")
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            continue
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        try:
            yield number, load_json(text)
            ascii_only = ascii_only and text.isascii()
        except DoubledKeyError as error:
            yield number, UnreadableRow(str(error))
        except (ValueError, RecursionError) as error:
            if isinstance(error, UnicodeDecodeError) and ascii_only and _is_in_a_word(text, error.start):
                raise not_utf8(text, error.start, path, number) from error
            if isinstance(error, json.JSONDecodeError) and error.pos >= len(error.doc) and _goes_on(head, text):
                raise RowError(
                    "is JSON whose rows go over several lines",
                    str(path),
                    "Store one row a line (jq -c . FILE > NEW), or all rows as one list.",
                ) from error
            yield number, UnreadableRow(f"it is no JSON ({json_problem(error)})")


def _is_in_a_word(text: bytes, at: int) -> bool:
    """Tell whether a byte that is no UTF-8 is a letter of a word in another encoding, and no damage."""
    around = text[max(0, at - 1) : at] + text[at + 1 : at + 2]
    return any(chr(each).isalpha() or each >= 0x80 for each in around)


def _goes_on(head: bytes, text: bytes) -> bool:
    """Tell whether a file's first line is a part of a value, and the next line goes on with it."""
    lines = [line.removeprefix(b"\xef\xbb\xbf").strip() for line in head.splitlines()]
    lines = [line for line in lines if line]
    return len(lines) > 1 and lines[0] == text and not lines[1].startswith(b"{")


def _refuse_other_text(head: bytes, path: Path) -> None:
    """See that a file may be JSON lines: of its first lines one begins as an object does."""
    lines = [line.removeprefix(b"\xef\xbb\xbf").strip() for line in head.split(b"\n")]
    lines = [line for line in lines if line]
    if not lines or any(line.startswith(b"{") for line in lines):
        return
    begins = lines[0][:40].decode("utf-8", "replace")
    cells = any(mark in lines[0] for mark in (b",", b"\t"))
    fix = (
        "A table of cells is read where its name ends with .csv or .tsv." if cells else "Store one JSON object a line."
    )
    raise RowError(f"is no JSON: it begins with {begins!r}", str(path), fix)


def _entries(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    try:
        for number, record in enumerate(list_entries(file, LONGEST_LINE), start=1):
            wrong = UnreadableRow(json_problem(record)) if isinstance(record, ValueError) else None
            yield number, wrong or record
    except (ValueError, RecursionError) as error:
        place = f"{path}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(path)
        raise RowError(f"is no JSON ({json_problem(error)})", place, "Mend it, or store one row a line.") from error


def require_rows(path: Path, *, shown: int = 5, reading: Reading = RECOGNISED) -> list[Row]:
    """Read a file in which every line must be a row.

    Args:
        path: The file.
        shown: Bad rows that the message names.
        reading: What the user says about the dataset.

    Raises:
        RowError: some lines are no rows, with place and reason, or there is none.
    """
    rows: list[Row] = []
    bad: list[BadRow] = []
    for each in read_rows(path, reading=reading):
        if isinstance(each, LeftOut):
            continue  # no training uses it
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
