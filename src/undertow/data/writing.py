"""Writing rows as JSON lines in Undertow's own layout, in one piece: a reader sees the whole file or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from undertow.data.rows import Row
from undertow.store.destinations import writing
from undertow.store.files import storing


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows, and return how many.

    Raises:
        UndertowError: the file cannot be written.
    """
    count = 0
    with rows_writer(path) as write:
        for row in rows:
            write(row)
            count += 1
    return count


@contextmanager
def rows_writer(path: Path) -> Generator[Callable[[Row], None]]:
    """Give a function that writes one row; the file takes its name when the block ends without an error.

    Raises:
        UndertowError: the file cannot be written; see `undertow.store.destinations`.
    """
    with writing(path) as file:

        def write(row: Row) -> None:
            line = _line_of(row)
            with storing(path):
                file.write(line)

        yield write


def _line_of(row: Row) -> bytes:
    record = row.record()
    try:
        return f"{json.dumps(record, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:
        # Half a surrogate pair has no bytes in UTF-8; as an escape it can be read again.
        return f"{json.dumps(record)}\n".encode()
