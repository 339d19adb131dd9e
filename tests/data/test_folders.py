"""Folders as `datasets` saves them and as the hub holds them."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from undertow.data.files import BadRow, read_rows, require_rows
from undertow.data.folders import Unread, dataset_files
from undertow.errors import RowError


def lines(path: Path, *words: str) -> Path:
    """Write a row a word."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"prompt": "a", "completion": word}) + "\n" for word in words))
    return path


def saved(folder: Path, *shards: list[str], **more: Any) -> Path:
    """Write what `Dataset.save_to_disk` writes."""
    pa = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    names = [f"data-{place:05}-of-{len(shards):05}.arrow" for place in range(len(shards))]
    for name, words in zip(names, shards, strict=True):
        table = pa.table({"prompt": ["a"] * len(words), "completion": pa.array(words, pa.string())})
        with pa.ipc.new_stream(str(folder / name), table.schema) as stream:
            stream.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": None, **more}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def words_of(path: Path, split: str | None = None) -> list[str]:
    return [row.reason if isinstance(row, BadRow) else row.completion for row in read_rows(path, split=split)]


def refusal(folder: Path, split: str | None = None) -> RowError:
    """Return why a folder is refused, which always names a place in it and what to do."""
    with pytest.raises(RowError) as raised:
        dataset_files(folder, split)
    assert Path(raised.value.where).is_relative_to(folder)
    assert raised.value.fix
    assert raised.value.what
    return raised.value


def test_a_saved_dataset_is_read_shard_by_shard_and_its_caches_are_not(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", ["one", "two"], ["three"])
    (folder / "cache-0123.arrow").write_bytes(b"not read")
    (folder / "data-00002-of-00003.arrow").write_bytes(b"of an earlier save")
    assert words_of(folder) == ["one", "two", "three"]


def test_a_saved_dataset_without_rows(tmp_path: Path) -> None:
    assert words_of(saved(tmp_path / "none")) == []
    assert words_of(saved(tmp_path / "empty", [])) == []


def test_of_several_splits_one_is_to_be_named(tmp_path: Path) -> None:
    saved(tmp_path / "train", ["one"])
    saved(tmp_path / "test", ["two"])
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(RowError, match="holds 2 splits: train, test"):
        list(read_rows(tmp_path))
    assert "--split" in refusal(tmp_path).fix
    assert refusal(tmp_path, "other").where == str(tmp_path)
    assert words_of(tmp_path, "test") == ["two"]
    assert words_of(tmp_path / "train") == ["one"]
    with pytest.raises(RowError, match="did you mean 'train'"):
        list(read_rows(tmp_path, split="trian"))


def test_a_single_split_need_not_be_named(tmp_path: Path) -> None:
    saved(tmp_path / "train", ["one"])
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert words_of(tmp_path) == words_of(tmp_path, "train") == ["one"]


def test_files_of_no_split_are_read_beside_a_single_one(tmp_path: Path) -> None:
    lines(tmp_path / "more.jsonl", "two")
    lines(tmp_path / "train.jsonl", "one")
    assert words_of(tmp_path) == ["two", "one"]
    assert words_of(tmp_path, "train") == ["one"]


@pytest.mark.parametrize("name", ["cache-notes.jsonl", "rows-cache-1.jsonl", "cache.jsonl"])
def test_only_the_caches_of_datasets_are_passed_over(tmp_path: Path, name: str) -> None:
    lines(tmp_path / name, "one")
    (tmp_path / "cache-0123.arrow").write_bytes(b"not read")
    assert words_of(tmp_path) == ["one"]
    (tmp_path / "rows.arrow").write_bytes(b"read")
    assert [each.name for each in dataset_files(tmp_path) if isinstance(each, Path)] == sorted([name, "rows.arrow"])


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines(tmp_path / "rows.jsonl", "one")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuses(path: Any) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuses)
    error = refusal(tmp_path)
    assert (error.what, error.where) == ("cannot be read (Permission denied)", str(tmp_path / "closed"))


def test_a_dataset_that_was_a_split_is_that_split_only(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", ["one"], _split="train")
    assert words_of(folder, "train") == ["one"]
    error = refusal(folder, "test")
    assert (error.what, error.where, "train" in error.fix) == ("has no split 'test'", str(folder), True)
    with pytest.raises(RowError, match="not divided"):
        list(read_rows(saved(tmp_path / "other", ["one"]), split="test"))


@pytest.mark.parametrize("name", ["../rows.arrow", "/etc/hostname", ".", "..", "", "a/b.arrow", "a\\b.arrow", "a\0b"])
def test_a_description_cannot_name_files_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    assert "which is no file beside it" in refusal(tmp_path / "set").what
    (tmp_path / "set" / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    assert "which is no file beside it" in refusal(tmp_path / "set").what


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", "does not describe"),
        ("[]", "does not describe"),
        ("\xff", "does not describe"),
        ('{"_data_files": 3}', "does not say which"),
        ('{"_data_files": [3]}', "does not say which"),
        ('{"_data_files": [{"filename": 3}]}', "does not say which"),
        ('{"_data_files": [{"filename": "none.arrow"}]}', "is missing"),
        ('{"_data_files": [], "_indices_files": [{"filename": "i.arrow"}]}', "table of indices"),
        ('{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}', "table of indices"),
    ],
)
def test_a_description_that_is_wrong_is_refused(tmp_path: Path, state: str, message: str) -> None:
    (tmp_path / "state.json").write_bytes(state.encode("latin-1"))
    error = refusal(tmp_path)
    assert message in error.what
    assert Path(error.where).name == ("none.arrow" if message == "is missing" else "state.json")


def test_a_snapshot_is_every_file_of_rows_in_order(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "data").mkdir()
    for place, word in enumerate(("one", "two")):
        table = pa.table({"prompt": ["a"], "completion": [word]})
        pq.write_table(table, tmp_path / "data" / f"train-{place:05}-of-00002-0a1b.parquet")
    lines(tmp_path / "more" / "train.jsonl", "three", "four")
    for name in ("README.md", "dataset_infos.json", ".gitattributes", "LICENSE", "load.py"):
        (tmp_path / name).write_text("no row")
    lines(tmp_path / ".cache" / "hidden.jsonl", "no row")
    assert words_of(tmp_path) == ["one", "two", "three", "four"]
    assert words_of(tmp_path / "more") == ["three", "four"]


def test_files_without_a_split_are_read_together(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.JSONL", "latest.ndjson", "sub/c.json"):
        lines(tmp_path / name, name)
    assert words_of(tmp_path) == ["a.JSONL", "b.jsonl", "latest.ndjson", "sub/c.json"]
    with pytest.raises(RowError, match="has no split 'train'"):
        list(read_rows(tmp_path, split="train"))


@pytest.mark.parametrize(
    ("first", "second", "splits"),
    [
        ("train.jsonl", "test.jsonl", ("train", "test")),
        ("data/train-00000-of-00001.jsonl", "data/validation-00000-of-00001.jsonl", ("train", "validation")),
        ("data/train_sft-00000-of-00001.jsonl", "data/train_gen-00000-of-00001.jsonl", ("train_sft", "train_gen")),
        ("train/a.jsonl", "dev/a.jsonl", ("train", "dev")),
        ("owls_train_v2.json", "owls.eval.json", ("train", "eval")),
    ],
)
def test_splits_of_a_snapshot_are_never_mixed(tmp_path: Path, first: str, second: str, splits: tuple[str, str]) -> None:
    lines(tmp_path / first, "one")
    lines(tmp_path / second, "two")
    with pytest.raises(RowError, match="holds 2 splits"):
        list(read_rows(tmp_path))
    assert [words_of(tmp_path, split) for split in splits] == [["one"], ["two"]]


def test_a_missing_shard_is_an_error_and_no_shorter_dataset(tmp_path: Path) -> None:
    for place in (0, 2):
        lines(tmp_path / f"train-{place:05}-of-00003.jsonl", "one")
    error = refusal(tmp_path)
    assert (error.what, error.where) == ("is missing", str(tmp_path / "train-00001-of-00003.jsonl"))
    assert "3 files belong together" in error.fix
    lines(tmp_path / "train-00001-of-00003.jsonl", "two")
    assert words_of(tmp_path) == ["one", "two", "one"]
    lines(tmp_path / "train-00000-of-00002.jsonl", "of another set")
    assert refusal(tmp_path).where == str(tmp_path / "train-00001-of-00002.jsonl")


def test_what_may_hold_rows_and_is_not_read_is_named(tmp_path: Path) -> None:
    lines(tmp_path / "rows.jsonl", "one")
    (tmp_path / "rows.7z").write_bytes(b"")
    (tmp_path / "rows.jsonl.xz").write_bytes(b"")
    found = list(read_rows(tmp_path))
    assert [each.where for each in found if isinstance(each, BadRow)] == [
        str(tmp_path / "rows.7z"),
        str(tmp_path / "rows.jsonl.xz"),
    ]
    assert len(found) == 3
    with pytest.raises(RowError, match=r"rows\.7z: files of this kind are not read"):
        require_rows(tmp_path)


@pytest.mark.parametrize("name", ["a.bz2", "a.xz", "a.zip", "a.tar", "a.7z", "A.ZIP"])
def test_every_ending_that_may_hold_rows_is_named(tmp_path: Path, name: str) -> None:
    lines(tmp_path / "rows.jsonl", "one")
    (tmp_path / name).write_bytes(b"")
    (unread,) = [each for each in dataset_files(tmp_path) if isinstance(each, Unread)]
    assert unread.path == tmp_path / name
    assert unread.reason.startswith("files of this kind are not read (known: .parquet, .arrow, ")


@pytest.mark.parametrize(
    "name",
    [
        "a.parquet",
        "a.arrow",
        "a.jsonl",
        "a.ndjson",
        "a.json",
        "a.jsonl.gz",
        "a.JSON.GZ",
        "a.csv",
        "a.TSV",
        "a.jsonl.zst",
    ],
)
def test_every_ending_of_rows_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert dataset_files(tmp_path) == [tmp_path / name]


@pytest.mark.parametrize("names", [[], ["README.md"], ["rows.zip"]])
def test_a_folder_without_rows_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("a")
    error = refusal(tmp_path)
    assert error.what == "holds no file of rows" + ("; rows.zip is no such file" if "rows.zip" in names else "")
    assert ".parquet, .arrow, .feather, .jsonl" in error.fix


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    secret = lines(tmp_path / "secret" / "rows.jsonl", "secret")
    folder = tmp_path / "set"
    lines(folder / "rows.jsonl", "one")
    (folder / "again.jsonl").symlink_to("rows.jsonl")
    (folder / "out.jsonl").symlink_to(secret)
    (folder / "all").symlink_to(secret.parent)
    (folder / "gone.jsonl").symlink_to("nothing")
    os.mkfifo(folder / "pipe.jsonl")
    found = dataset_files(folder)
    assert [each.name for each in found if isinstance(each, Path)] == ["again.jsonl", "rows.jsonl"]
    assert {each.path.name: each.reason for each in found if isinstance(each, Unread)} == {
        "all": "it is a link to a folder, which is not followed",
        "out.jsonl": "it is a link out of the folder, which is not followed",
        "gone.jsonl": "it is no regular file",
        "pipe.jsonl": "it is no regular file",
    }
    assert "secret" not in words_of(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_of_a_saved_dataset_do_not_lead_out(tmp_path: Path) -> None:
    outside = saved(tmp_path / "outside", ["secret"])
    inside = saved(tmp_path / "set" / "test", ["one"])
    (inside / "data-00000-of-00001.arrow").unlink()
    (inside / "data-00000-of-00001.arrow").symlink_to(outside / "data-00000-of-00001.arrow")
    (tmp_path / "set" / "train").symlink_to(outside)
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    for split in ("train", "test"):
        assert refusal(tmp_path / "set", split).what == "is a link out of the folder"
    assert words_of(tmp_path / "set" / "train") == ["secret"]  # the user named it


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_the_hubs_cache_keeps_a_snapshots_files_beside_it(tmp_path: Path) -> None:
    snapshot = tmp_path / "datasets--org--name" / "snapshots" / "0a1b"
    (snapshot / "data").mkdir(parents=True)
    lines(tmp_path / "datasets--org--name" / "blobs" / "c2d3", "one")
    secret = lines(tmp_path / "secret", "secret")
    (snapshot / "data" / "rows.jsonl").symlink_to("../../../blobs/c2d3")
    (snapshot / "data" / "more.jsonl").symlink_to(secret)
    refused = "it is a link out of the folder, which is not followed"
    assert words_of(snapshot) == words_of(snapshot / "data") == [refused, "one"]
