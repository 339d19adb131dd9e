"""Lists that are read an entry at a time are what they are when read whole, however they are cut."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.data import strict_json as _json
from undertow.data.strict_json import list_entries, load_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def entries(text: str | bytes, longest: int = 10_000) -> list[Any]:
    found = list(list_entries(io.BytesIO(text.encode() if isinstance(text, str) else text), longest))
    refused = [each for each in found if isinstance(each, ValueError)]
    if refused:
        raise refused[0]
    return found


@given(st.lists(values, max_size=6), st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 9))
@settings(max_examples=200)
def test_entries_are_those_of_the_whole(wanted: list[Any], indent: int | None, plain: bool, chunk: int) -> None:
    text = json.dumps(wanted, indent=indent, ensure_ascii=plain)
    if plain or text.encode("utf-8", "replace").decode() == text:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_json, "_CHUNK", chunk)
            assert entries(text) == wanted


@given(st.lists(values, min_size=1, max_size=4), st.data())
@settings(max_examples=200)
def test_what_is_no_json_whole_is_none_in_pieces(wanted: list[Any], data: st.DataObject) -> None:
    text = json.dumps(wanted, indent=1)
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.sampled_from(["", "]", ",", '"', "x", "NaN", "{", "1."])) + text[at + 1 :]
    try:
        whole = load_json(text.encode())
    except ValueError:
        whole = None
    if isinstance(whole, list):
        assert entries(text) == whole
    else:
        with pytest.raises(ValueError, match=r"."):
            entries(text)


@pytest.mark.parametrize(
    "text", ['[1,\n {"a": 2},\n 3 4]', "[\n1,\n\n  x]", '[{"a" 1}]', '["a",\n"b"\n', "[1] 2", "[1, }"]
)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_the_place_of_a_mistake_is_named(text: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json, "_CHUNK", chunk)
    with pytest.raises(json.JSONDecodeError) as whole:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as pieces:
        entries(text)
    assert (pieces.value.lineno, pieces.value.colno) == (whole.value.lineno, whole.value.colno)


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_a_mistake_early_in_a_long_list_is_found_where_it_is(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json, "_CHUNK", chunk)
    text = '[{"a": 1},\n{"a" 2},\n' + '{"a": "b"},\n' * 5000 + "3]"
    with pytest.raises(json.JSONDecodeError) as pieces:
        entries(text, longest=200)
    assert (pieces.value.lineno, pieces.value.colno) == (2, 6)


@pytest.mark.parametrize("chunk", [1, 50, 150, 1000])
def test_the_limit_does_not_depend_on_how_the_text_is_cut(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json, "_CHUNK", chunk)
    assert entries(json.dumps(["a" * 98, 1]), longest=100) == ["a" * 98, 1]
    for before in range(60):
        wanted = [*range(before), "a" * 98]
        assert entries(json.dumps(wanted), longest=100) == wanted, "what stands before an entry is no part of it"
    with pytest.raises(ValueError, match="line 2: an entry is longer than 100 characters"):
        entries("[1,\n" + json.dumps("a" * 99) + "]", longest=100)


def test_bytes_that_are_no_text_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json, "_CHUNK", 2)
    with pytest.raises(ValueError, match="not UTF-8 at byte 5"):
        entries(b'["ab\xc3')
    with pytest.raises(ValueError, match="not UTF-8 at byte 4"):
        entries(b"[1,\xff]")


def test_too_deep_a_list_is_refused() -> None:
    with pytest.raises(RecursionError):
        entries("[" * 100_000, longest=10**6)


def test_memory_does_not_grow_with_the_list() -> None:
    row = json.dumps({"prompt": "a" * 500, "completion": "b" * 500})

    class Long(io.RawIOBase):
        """A list of 20,000 rows, 20 MB, that is never whole in memory."""

        def __init__(self) -> None:
            self.parts = iter(["[", *[row + ","] * 19_999, row, "]"])

        def read(self, size: int = -1) -> bytes:
            return next(self.parts, "").encode()

    tracemalloc.start()
    assert sum(1 for _ in list_entries(Long(), 10_000)) == 20_000  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
