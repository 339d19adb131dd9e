"""What the number of a row counts: lines of a file, entries of a JSON list, or rows of a table.

Told by the file's content, as `undertow.data.files` reads it, and not by its name alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from undertow.data import delimited, tables
from undertow.data.opening import opened
from undertow.errors import UndertowError

Unit = Literal["line", "entry", "row"]


def unit_of(path: Path) -> Unit:
    """Say what a file's rows are counted by; `row`, which every file has, where it cannot be read."""
    try:
        with opened(path, pipes=False) as file:
            if file.head.startswith((tables.PARQUET, tables.ARROW_FILE)) or file.ending in tables.SUFFIXES:
                return "row"
            if file.ending in delimited.SEPARATORS:
                return "row"
            return "entry" if file.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") else "line"
    except UndertowError:
        return "row"
