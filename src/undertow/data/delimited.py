"""Records of CSV and TSV files: a header, then a record a line. Cells are text; a list in a cell is JSON.

Files are read only. Undertow never writes one, so no cell can become a formula of a spreadsheet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from undertow.data.layouts.calls import json_or_none
from undertow.data.layouts.reading import Reading
from undertow.data.opening import not_utf8
from undertow.data.rows import UnreadableRow
from undertow.errors import RowError

SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
"""Of cells, by how a file's name ends."""
JSON_COLUMNS: Final = frozenset(
    ("messages", "conversations", "chosen", "rejected", "tools", "functions", "history", "weight", "train", "trainable",
     "label", "kto_tag", "images", "meta")
)  # fmt: skip
"""Columns whose cells hold JSON where they can be read as JSON; an empty cell of theirs says nothing."""


def read_cells(
    file: BinaryIO, path: Path, separator: str, longest: int, reading: Reading
) -> Iterator[dict[str, Any] | UnreadableRow]:
    """Read the records of a file in its order.

    Args:
        file: The file, in UTF-8.
        path: Its name, for messages.
        separator: Of cells.
        longest: Bytes of a line or a cell, at most.
        reading: Which columns the user named: lists of turns and tools among them are JSON too.

    Raises:
        RowError: it is no such file, two columns have one name, or it is not in UTF-8.
    """
    in_json = JSON_COLUMNS | {name for part, name in reading.columns.items() if part in ("messages", "tools")}
    before = csv.field_size_limit(longest)
    try:
        cells = csv.reader(_lines(file, path, longest), delimiter=separator, strict=True)
        names = [name.strip() for name in next(cells, [])]
        if twice := [name for name in names if names.count(name) > 1]:
            raise RowError(f"has two columns called {twice[0]!r}", str(path), "Give each its own name.")
        for record in cells:
            if not record:
                continue
            if len(record) != len(names):
                yield UnreadableRow(f"it has {len(record)} cells, and the header has {len(names)}")
                continue
            read = {name: _value(cell) if name in in_json else cell for name, cell in zip(names, record, strict=True)}
            yield {name: value for name, value in read.items() if value is not None}
    except csv.Error as error:
        raise RowError(f"is no table of cells ({error})", str(path), "Mend it, or write it once more.") from error
    finally:
        csv.field_size_limit(before)


def _value(cell: str) -> Any:
    text = cell.strip()
    if not text:
        return None
    value = json_or_none(text.lower() if text in ("True", "False") else text)
    return cell if value is None else value


def _lines(file: BinaryIO, path: Path, longest: int) -> Iterator[str]:
    number = 0
    while line := file.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise RowError(f"is longer than {longest:,} bytes", f"{path}, line {number}", "Leave it out.")
        try:
            yield line.removeprefix(b"\xef\xbb\xbf").decode("utf-8") if number == 1 else line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(line, error.start, path, number) from error
