"""Folders of dataset files: which files hold the rows, in which order, and what in the folder is left unread.

    saved       datasets.Dataset.save_to_disk: state.json names the Arrow files
    saved       datasets.DatasetDict.save_to_disk: dataset_dict.json names the splits, each a folder of the former kind
    snapshot    anything else: every file of a kind that is read, in it and its folders, as on the hub

One split is read. Where there are several, the user names one: rows of train and test are never mixed. Hidden files are
passed over, and so are the caches of `datasets` (`cache-*.arrow`). A link that leads out of the folder is not followed,
except from a snapshot in the hub's cache to the files that the cache keeps for it (`blobs`).

It knows names, and what the descriptions of `datasets` say: it opens no file of rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from undertow.data.strict_json import load_json
from undertow.errors import RowError, nearest

_TEXT: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
READ: Final = (
    ".parquet",
    ".arrow",
    ".feather",
    *_TEXT,
    *(f"{end}{packed}" for packed in (".gz", ".zst") for end in _TEXT),
)
"""How the names of files that are read end."""
_ALSO_DATA: Final = (".gz", ".zst", ".bz2", ".xz", ".zip", ".tar", ".7z", ".tgz", ".xlsx", ".pkl")
_DESCRIPTIONS: Final = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
_LONGEST_DESCRIPTION: Final = 100_000_000
_SHARD = re.compile(r"(?P<stem>.+)-(?P<place>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?(?P<ending>\..+)")
_SPLIT = re.compile(r"(?<![a-z0-9])(train|training|test|testing|validation|valid|val|dev|eval|evaluation)(?![a-z0-9])")


@dataclass(frozen=True)
class Unread:
    """Something in a folder that may hold rows and is not read."""

    path: Path
    reason: str


def dataset_files(folder: Path, split: str | None = None) -> list[Path | Unread]:
    """Find the files that hold the rows of a folder, in order.

    Args:
        folder: A saved dataset, or a snapshot.
        split: Which one to read; needed only where there are several.

    Raises:
        RowError: there are several splits and none is named, no such one, a file of the dataset is missing, or there is
            no file of rows.
    """
    roots = _roots(folder)
    several = folder / "dataset_dict.json"
    if several.is_file():
        splits = _texts(_description(several).get("splits"), several)
        state = folder / _plain_name(_choose(splits, split, folder), several) / "state.json"
        return _saved(state, _description(state), roots)
    state = folder / "state.json"
    described = _description(state) if state.is_file() else {}
    if "_data_files" in described:
        own = described.get("_split")
        if split is not None and split != own:
            _no_such(split, [own] if isinstance(own, str) else [], folder)
        return _saved(state, described, roots)
    return _snapshot(folder, split, roots)


def splits_of(folder: Path) -> list[str]:
    """Return the splits of a folder, none where it is not divided.

    Raises:
        RowError: its description cannot be read.
    """
    several = folder / "dataset_dict.json"
    if several.is_file():
        return _texts(_description(several).get("splits"), several)
    if "_data_files" in (_description(folder / "state.json") if (folder / "state.json").is_file() else {}):
        return []
    return sorted({name for file in _walk(folder) if _is_read(file) and (name := _split_of(file.relative_to(folder)))})


def _saved(state: Path, described: dict[str, Any], roots: list[Path]) -> list[Path | Unread]:
    if described.get("_indices_data_files") or described.get("_indices_files"):
        raise RowError(
            "reads its rows through a table of indices",
            str(state),
            "Save it once more with a newer release of datasets.",
        )
    entries = described.get("_data_files")
    if isinstance(entries, list):
        entries = [_filename(each) for each in cast(list[object], entries)]
    files = [state.parent / _plain_name(name, state) for name in _texts(entries, state)]
    for file in files:
        if not file.is_file():
            raise RowError("is missing", str(file), f"{state.name} names it: copy the whole dataset.")
        if not _within(file, roots):
            raise RowError("is a link out of the folder", str(file), "Copy the file to where the link is.")
    return list(files)


def _snapshot(folder: Path, split: str | None, roots: list[Path]) -> list[Path | Unread]:
    found = [(file, _split_of(file.relative_to(folder))) for file in _walk(folder)]
    found = [(file, name) for file, name in found if _is_read(file) or _reason(file, roots) is not None]
    if not any(_is_read(file) for file, _ in found):
        named = f"; {found[0][0].name} is no such file" if found else ""
        raise RowError(f"holds no file of rows{named}", str(folder), f"Known: {', '.join(READ)}.")
    names = sorted({name for _, name in found if name})
    if split is not None or len(names) > 1:
        chosen = _choose(names, split, folder)
        found = [(file, name) for file, name in found if name == chosen]
    _require_all_shards(file for file, _ in found)
    reasons = [(file, _reason(file, roots)) for file, _ in found]
    return [file if reason is None else Unread(file, reason) for file, reason in reasons]


def _walk(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> NoReturn:
        raise RowError(f"cannot be read ({error.strerror})", str(error.filename), "Change its permissions.")

    for here, folders, files in os.walk(folder, onerror=fail):
        links = [name for name in folders if Path(here, name).is_symlink()]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted([*files, *links]):
            cache = name.startswith("cache-") and name.endswith(".arrow")
            if not name.startswith(".") and name not in _DESCRIPTIONS and not cache:
                yield Path(here, name)


def _reason(file: Path, roots: list[Path]) -> str | None:
    """Say why a file is not read; None where it is read, or is none that holds rows."""
    if file.is_dir():
        return "it is a link to a folder, which is not followed"
    if not file.name.lower().endswith((*READ, *_ALSO_DATA)):
        return None
    if not _within(file, roots):
        return "it is a link out of the folder, which is not followed"
    if not file.is_file():
        return "it is no regular file"
    if not _is_read(file):
        return f"files of this kind are not read (known: {', '.join(READ)})"
    return None


def _is_read(file: Path) -> bool:
    return file.name.lower().endswith(READ)


def _split_of(file: Path) -> str:
    """Tell a file's split from its name: all that is before `-00000-of-00001`, or a usual word in it or its folders."""
    shard = _SHARD.fullmatch(file.name)
    if shard:
        return shard["stem"]
    words = [_SPLIT.search(part.lower()) for part in (file.name, *reversed(file.parent.parts))]
    return next((word[0] for word in words if word), "")


def _choose(splits: list[str], split: str | None, folder: Path) -> str:
    if split is None:
        if len(splits) == 1:
            return splits[0]
        raise RowError(
            f"holds {len(splits)} splits: {', '.join(splits)}", str(folder), "Name the one to read, with --split."
        )
    if split not in splits:
        _no_such(split, splits, folder)
    return split


def _no_such(split: str, splits: list[str], folder: Path) -> NoReturn:
    fix = nearest(split, splits) if splits else "It is not divided into splits."
    raise RowError(f"has no split {split!r}", str(folder), fix)


def _require_all_shards(files: Iterable[Path]) -> None:
    sets: dict[tuple[Path, str, str, str], set[int]] = {}
    for file in files:
        shard = _SHARD.fullmatch(file.name)
        if shard:
            key = (file.parent, shard["stem"], shard["count"], shard["ending"])
            sets.setdefault(key, set()).add(int(shard["place"]))
    for (parent, stem, count, ending), places in sets.items():
        missing = next((place for place in range(int(count)) if place not in places), None)
        if missing is not None:
            file = parent / f"{stem}-{missing:05}-of-{count}{ending}"
            raise RowError("is missing", str(file), f"{int(count)} files belong together: fetch them all.")


def _roots(folder: Path) -> list[Path]:
    own = folder.resolve()
    cache = next((each.parent / "blobs" for each in own.parents if each.name == "snapshots"), None)
    return [own, *([cache] if cache else [])]


def _within(file: Path, roots: list[Path]) -> bool:
    real = file.resolve()
    return any(real.is_relative_to(root) for root in roots)


def _description(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            data = load_json(file.read(_LONGEST_DESCRIPTION))
    except (OSError, ValueError, RecursionError) as error:
        raise RowError("does not describe a dataset", str(path), "Fetch it, or save it, once more.") from error
    if not isinstance(data, dict):
        raise RowError("does not describe a dataset", str(path), "Fetch it, or save it, once more.")
    return cast(dict[str, Any], data)


def _filename(entry: object) -> object:
    return cast(dict[str, Any], entry).get("filename") if isinstance(entry, dict) else None


def _texts(value: object, path: Path) -> list[str]:
    texts = cast(list[object], value) if isinstance(value, list) else [None]
    if not all(isinstance(each, str) for each in texts):
        raise RowError("does not say which files hold the rows", str(path), "Fetch it, or save it, once more.")
    return cast(list[str], texts)


def _plain_name(name: str, path: Path) -> str:
    if name != Path(name).name or name in ("", ".", "..") or "\\" in name or "\0" in name:
        raise RowError(f"names {name!r}, which is no file beside it", str(path), "Fetch it, or save it, once more.")
    return name
