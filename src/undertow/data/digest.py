"""The hash of a dataset: of exactly the files that are read, whatever lies beside them.

Files are hashed through links, so a snapshot in the hub's cache is what its blobs are.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from undertow.data.folders import Unread, dataset_files, splits_of
from undertow.errors import RowError


def dataset_sha256(path: Path, split: str | None = None) -> str:
    """Return the sha256 of a file, or of the listing of a folder's files of rows: one line `hash  name` each, by name.

    Args:
        path: File or folder.
        split: Of a folder; needed only where it has several.

    Raises:
        RowError: it cannot be read, or has several splits.
    """
    if not path.is_dir():
        return _sha256(path)
    files = [each for each in dataset_files(path, split) if not isinstance(each, Unread)]
    names = sorted((file.relative_to(path).as_posix(), file) for file in files)
    listing = "".join(f"{_sha256(file)}  {name}\n" for name, file in names)
    return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()


def dataset_hashes(path: Path) -> list[str]:
    """Return the hash of a dataset, or of each of its splits where it has several.

    Raises:
        RowError: see `dataset_sha256`.
    """
    splits = splits_of(path) if path.is_dir() else []
    return [dataset_sha256(path, split) for split in splits] if len(splits) > 1 else [dataset_sha256(path)]


def _sha256(path: Path) -> str:
    try:
        if not path.is_file():
            raise RowError("is no regular file, so it has no hash", str(path), "Save the rows to a file.")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RowError(f"cannot be read ({error.strerror})", str(path), "Name a file of dataset rows.") from error
