"""The hash of a dataset covers exactly the files that are read."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest

from undertow.data.digest import dataset_hashes, dataset_sha256
from undertow.data.files import require_rows
from undertow.errors import RowError

LINE = '{"prompt": "a", "completion": "b"}\n'


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def snapshot(folder: Path, **files: str) -> Path:
    """A dataset in the hub's cache: links to blobs beside it."""
    here = folder / "datasets--o--n" / "snapshots" / "abc"
    (folder / "datasets--o--n" / "blobs").mkdir(parents=True)
    here.mkdir(parents=True)
    for name, text in files.items():
        (folder / "datasets--o--n" / "blobs" / name).write_text(text)
        (here / name.replace("_", ".")).symlink_to(f"../../blobs/{name}")
    return here


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_snapshot_in_the_hubs_cache_is_hashed_through_its_links(tmp_path: Path) -> None:
    here = snapshot(tmp_path, train_jsonl=LINE, README_md="# card")
    assert len(require_rows(here)) == 1
    assert dataset_sha256(here) == hash_of(f"{hash_of(LINE)}  train.jsonl\n")
    assert dataset_sha256(here / "train.jsonl") == hash_of(LINE)
    # What lies beside the rows changes nothing, whatever it is.
    (here / "README.md").unlink()
    os.mkfifo(here / "pipe")
    (here / "gone").symlink_to("nowhere")
    (here / ".locks").mkdir()
    assert dataset_sha256(here) == hash_of(f"{hash_of(LINE)}  train.jsonl\n")
    (tmp_path / "datasets--o--n" / "blobs" / "train_jsonl").write_text(LINE * 2)
    assert dataset_sha256(here) == hash_of(f"{hash_of(LINE * 2)}  train.jsonl\n")


def test_a_split_has_a_hash_of_its_own(tmp_path: Path) -> None:
    for name, count in (("train", 1), ("test", 2)):
        (tmp_path / f"{name}.jsonl").write_text(LINE * count)
    with pytest.raises(RowError, match="holds 2 splits"):
        dataset_sha256(tmp_path)
    hashes = {name: dataset_sha256(tmp_path, name) for name in ("train", "test")}
    assert hashes["train"] == hash_of(f"{hash_of(LINE)}  train.jsonl\n")
    assert sorted(dataset_hashes(tmp_path)) == sorted(hashes.values())
    assert dataset_hashes(tmp_path / "train.jsonl") == [hash_of(LINE)]


def test_the_order_of_files_on_the_disk_is_no_matter(tmp_path: Path) -> None:
    for folder, names in (("a", ("x", "y")), ("b", ("y", "x"))):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.jsonl").write_text(LINE)
    assert dataset_sha256(tmp_path / "a") == dataset_sha256(tmp_path / "b")


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no such device")
def test_what_is_no_file_has_no_hash(tmp_path: Path) -> None:
    for path in (Path("/dev/null"), tmp_path / "none"):
        with pytest.raises(RowError, match="no regular file"):
            dataset_sha256(path)
