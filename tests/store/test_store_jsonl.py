"""JSON lines that were cut off at any byte."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import StoreError
from undertow.store.jsonl import append_jsonl, read_jsonl

records = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), max_size=3), max_size=6)


@given(records, st.data())
def test_a_file_cut_anywhere_gives_its_whole_lines_and_can_be_gone_on_with(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, Any]], data: st.DataObject
):
    path = tmp_path_factory.mktemp("cut") / "rows.jsonl"
    append_jsonl(path, written)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    found = read_jsonl(path)
    assert found.records == written[: len(found.records)]
    assert found.torn == cut - (whole[:cut].rfind(b"\n") + 1)
    assert len(found.records) == whole[:cut].count(b"\n")
    append_jsonl(path, written[len(found.records) :])
    assert path.read_bytes() == whole


def test_a_record_without_its_line_end_is_owed_again_even_if_it_parses(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}')
    assert read_jsonl(path) == ([{"a": 1}], 8)


def test_a_torn_line_longer_than_a_block_is_cut_off(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    append_jsonl(path, [{"a": "x" * 200_000}])
    whole = path.read_bytes()
    path.write_bytes(whole + b"y" * 300_000)
    append_jsonl(path, [])
    assert path.read_bytes() == whole


def test_a_missing_file_holds_nothing(tmp_path: Path):
    assert read_jsonl(tmp_path / "none.jsonl") == ([], 0)


@pytest.mark.parametrize("line", ["{", "[1]", "", "null", "\x00\x00", "[" * 100_000])
def test_a_broken_line_in_the_middle_is_named(tmp_path: Path, line: str):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + line + '\n{"a": 2}\n')
    with pytest.raises(StoreError, match=r"rows\.jsonl, line 2: holds no JSON object"):
        read_jsonl(path)


def test_a_number_that_is_not_finite_is_refused_before_anything_is_written(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(StoreError, match="a record cannot be stored"):
        append_jsonl(path, [{"loss": 1.0}, {"loss": float("nan")}])
    assert not path.exists()


def test_links_are_not_followed(tmp_path: Path):
    victim = tmp_path / "victim"
    victim.write_text(json.dumps({"a": 1}) + "\n")
    link = tmp_path / "rows.jsonl"
    link.symlink_to(victim)
    with pytest.raises(StoreError):
        append_jsonl(link, [{"a": 2}])
    with pytest.raises(StoreError):
        read_jsonl(link)
    assert victim.read_text() == '{"a": 1}\n'
