"""The records of a problem file, each with its place: JSON lines, or one JSON list, of a limited size.

It knows no problems; what a record must hold is the business of `undertow.domains.problems`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from undertow.data.strict_json import json_problem, load_json
from undertow.errors import InputError

MOST_BYTES: Final = 50_000_000
"""Of a file."""
FIX: Final = 'Name a file with one {"question": ..., "answer": "... #### 18"} a line.'


@dataclass(frozen=True)
class Broken:
    """What stands in a record's place where there is none."""

    reason: str


def read_records(path: Path) -> Iterator[tuple[str, object]]:
    """Yield the place and the content of every record; blank lines are skipped.

    Raises:
        InputError: the file cannot be read, is too long, or is a list that is no JSON.
    """
    data = _read(path).removeprefix(b"\xef\xbb\xbf")
    if not data.lstrip().startswith(b"["):
        for number, line in enumerate(data.split(b"\n"), start=1):
            if line.strip():
                yield f"{path}, line {number}", _line(line)
        return
    try:
        records = cast(list[object], load_json(data))
    except (ValueError, RecursionError) as error:
        place = f"{path}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(path)
        raise InputError(f"is no JSON ({json_problem(error)})", place, "Mend it, or store one a line.") from error
    yield from ((f"{path}, entry {number}", record) for number, record in enumerate(records, start=1))


def _read(path: Path) -> bytes:
    try:
        # A pipe would be waited for without end.
        if path.exists() and not path.is_file():
            raise InputError("is no file", str(path), FIX)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), FIX) from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        # A null character, which no name of a file holds.
        raise InputError("is no name of a file", repr(str(path)), FIX) from error
    if len(data) > MOST_BYTES:
        raise InputError(f"is longer than {MOST_BYTES:,} bytes", str(path), "Name a part of it.")
    return data


def _line(line: bytes) -> object:
    try:
        return load_json(line)
    except (ValueError, RecursionError) as error:
        return Broken(f"it is no JSON ({json_problem(error)})")
