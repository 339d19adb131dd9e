"""Reading results.json: bounded, checked, and every fault named with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from undertow.errors import InputError, StoreError
from undertow.results.results import Results
from undertow.store.files import read_bytes

MAX_BYTES: Final = 64_000_000
"""Of a results.json; a longer one is refused."""


def load_results(path: Path) -> Results:
    """Read a results.json, or the one inside a run folder; a link in a run folder is not followed.

    Args:
        path: The file or the run folder.

    Returns:
        What the file holds.

    Raises:
        StoreError: There is no such file, or it is too long.
        InputError: It is not a results file of this version.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import load_results
        >>> load_results(Path("run")).kind
        'run'
    """
    inside = path.is_dir()
    file = results_file(path)
    try:
        data = read_bytes(file if inside else file.resolve(), MAX_BYTES)
    except OSError as error:
        raise StoreError(
            f"cannot be read ({error.strerror})", str(file), "Name a run folder or its results.json."
        ) from error
    return parse_results(data, str(file))


def results_file(path: Path) -> Path:
    """Return the results.json that a path stands for: itself, or the one inside a run folder."""
    return path / "results.json" if path.is_dir() else path


def parse_results(data: bytes, where: str) -> Results:
    """Turn the bytes of a results.json into results.

    Raises:
        InputError: it is not a results file of this version.
    """
    fix = "Name a results.json that Undertow wrote."
    try:
        return Results.model_validate_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where, fix) from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200]
        raise InputError(f"{first['msg']} (at {place or 'the top'})", where, fix) from error
