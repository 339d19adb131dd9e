"""Files that an experiment file names: looked for beside it, and then in the working directory.

Where both places have a file of that name, and they are two files, neither is taken. Otherwise the working directory
would decide what the experiment is about.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, cast

from undertow.errors import SpecError

_ENDINGS: Final = (".yaml", ".yml")
_RECIPES: Final = (*_ENDINGS, ".json")
_FILES: Final = (
    ("instil", "lessons"),
    ("domain", "problems"),
    ("trait", "category"),
    ("trait", "name"),
    ("other", "category"),
    ("other", "name"),
    ("student", "recipe"),
)
"""Keys whose value may name a file; a trait's does where it ends as a YAML file, and a recipe's as one or as JSON."""


def place_files(spec: dict[Any, Any], file: Path, overridden: Collection[str] = ()) -> None:
    """Replace the names of files in an experiment by where they lie.

    Args:
        spec: The experiment as plain values, changed in place.
        file: The experiment file.
        overridden: Dotted keys that were set outside of the file: they are the working directory's.

    Raises:
        SpecError: a file lies in neither place, or there is one in both.
    """
    for part, key in _FILES:
        holder = spec.get(part)
        if not isinstance(holder, dict) or part in overridden or f"{part}.{key}" in overridden:
            continue
        holder = cast(dict[Any, Any], holder)
        name = holder.get(key)
        if not isinstance(name, str) or not name:
            continue
        if (part in ("trait", "other") and not name.endswith(_ENDINGS)) or (
            part == "student" and not name.endswith(_RECIPES)
        ):
            continue
        # A copy, because YAML's anchors may have put the same part in two places.
        spec[part] = holder | {key: _found(name, file, f"{part}.{key}")}


def _found(name: str, file: Path, key: str) -> str:
    here, beside = Path(name), file.parent / name
    if here.is_absolute():
        return name
    try:
        there, known = beside.exists(), here.exists()
        same = there and known and here.samefile(beside)
    except (OSError, ValueError):
        # No name of a file; whoever reads it says so.
        return name
    if there and known and not same:
        raise SpecError(
            f"{key}: {name} is both beside the file ({beside}) and in the working directory ({here.absolute()})",
            str(file),
            "Name one of them by its whole path.",
        )
    if not there and not known:
        raise SpecError(
            f"{key}: {name} is neither beside the file ({beside}) nor in the working directory ({here.absolute()})",
            str(file),
            "Name a file that is there; a relative name is looked for beside the experiment file first.",
        )
    return name if same or known else str(_short(beside))


def _short(path: Path) -> Path:
    """Return a path as the working directory has it, so that an experiment has one name however its file was named."""
    whole, folder = path.absolute(), Path.cwd()
    return whole.relative_to(folder) if whole.is_relative_to(folder) else whole
