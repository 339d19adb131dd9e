import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.data.files import LONGEST_LINE, BadRow, read_rows, require_rows, write_rows
from undertow.data.rows import Row
from undertow.errors import RowError

LINE = '{"prompt": "a", "completion": "b"}'
ROW = Row(({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}))


def file_of(folder: Path, text: str | bytes) -> Path:
    path = folder / "rows.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_lines_and_lists_hold_the_same_rows(tmp_path: Path) -> None:
    assert list(read_rows(file_of(tmp_path, f"\ufeff{LINE}\n\n{LINE}"))) == [ROW, ROW]
    assert list(read_rows(file_of(tmp_path, f" \n[{LINE},\n{LINE}]\n"))) == [ROW, ROW]


def test_every_bad_line_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path, f'{LINE}\n{{"prompt": \n{LINE}\n[1]\n{{"a": NaN}}\n')
    with pytest.raises(RowError) as caught:
        require_rows(path)
    message = str(caught.value)
    assert message.startswith(f"{path}, line 2: it is no JSON (Expecting value at column ")
    assert f"{path}, line 4: a row is an object" in message
    assert f"{path}, line 5: it is no JSON (NaN is not JSON)" in message
    assert "2 rows" in message
    assert "3 cannot" in message


def test_a_bad_entry_of_a_list_is_named(tmp_path: Path) -> None:
    path = file_of(tmp_path, f"[{LINE}, 3]")
    assert list(read_rows(path)) == [ROW, BadRow(f"{path}, entry 2", "a row is an object with keys, not a number")]
    with pytest.raises(RowError, match="line 2"):
        list(read_rows(file_of(tmp_path, f"[{LINE},\n")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"prompt": "\xff"}', "not UTF-8 at byte 13"),
        (b"[" * 3 + b"\n" + b"{", "no JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_bytes_that_are_no_text_end_in_a_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        require_rows(file_of(tmp_path, data))


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('{"prompt": "a\\u0000b", "completion": "b"}', "a\0b"),
        ('{"prompt": "a\0b", "completion": "b"}', "it is no JSON (Invalid control character at at column 14)"),
        ("\0" * 100, "it is no JSON (Expecting value at column 1)"),
    ],
)
def test_nul_bytes_are_text_where_json_says_so_and_no_json_elsewhere(tmp_path: Path, text: str, outcome: str) -> None:
    path = file_of(tmp_path, f"{LINE}\n{text}\n{LINE}\n")
    first, each, last = read_rows(path)
    assert (first, last) == (ROW, ROW)
    assert each.messages[0]["content"] == outcome if isinstance(each, Row) else each.reason == outcome


def test_a_row_of_a_megabyte_is_a_row_like_any_other(tmp_path: Path) -> None:
    text = "é" * 500_000
    (row,) = read_rows(file_of(tmp_path, json.dumps({"prompt": "a", "completion": text})))
    assert isinstance(row, Row)
    assert row.completion == text


def test_two_layouts_in_one_file_are_an_error_that_names_both(tmp_path: Path) -> None:
    records = [{"instruction": "a", "output": "b"}, {"unknown": "a"}, {"prompt": "a", "completion": "b"}]
    path = file_of(tmp_path, "\n".join(map(json.dumps, records)))
    with pytest.raises(RowError, match=r"two layouts: Alpaca \(line 1\) and prompt/completion \(line 3\)"):
        list(read_rows(path))


@pytest.mark.parametrize("text", ["", "\n \r\n", "\ufeff", "[]"])
def test_an_empty_file_has_no_rows_and_where_rows_are_needed_says_so(tmp_path: Path, text: str) -> None:
    path = file_of(tmp_path, text)
    assert list(read_rows(path)) == []
    with pytest.raises(RowError, match="holds no rows"):
        require_rows(path)


@pytest.mark.parametrize("count", [1, 1000])
def test_one_row_and_equal_rows_are_all_read(tmp_path: Path, count: int) -> None:
    rows = require_rows(file_of(tmp_path, f"{LINE}\n" * count))
    assert len(rows) == count
    assert len({row.id for row in rows}) == 1


def test_gzipped_files_are_read_as_what_is_in_them(tmp_path: Path) -> None:
    lines, several = (gzip.compress(text.encode()) for text in (f"{LINE}\n\n3\n{LINE}", f"[{LINE}, {LINE}]"))
    path = file_of(tmp_path, lines)
    assert list(read_rows(path)) == [
        ROW,
        BadRow(f"{path}, line 3", "a row is an object with keys, not a number"),
        ROW,
    ]
    assert list(read_rows(file_of(tmp_path, several))) == [ROW, ROW]


@pytest.mark.parametrize("harm", [lambda data: data[:-20], lambda data: data[:-8] + b"01234567"])
def test_a_damaged_gzipped_file_is_an_error(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    data = gzip.compress("".join(f'{{"prompt": "{n}", "completion": "b"}}\n' for n in range(1000)).encode())
    with pytest.raises(RowError, match="is damaged"):
        require_rows(file_of(tmp_path, harm(data)))


def test_a_list_with_too_long_an_entry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.data.files.LONGEST_LINE", 100)
    long = json.dumps({"prompt": "a", "completion": "b" * 100_000})
    with pytest.raises(RowError, match="an entry is longer than 100 characters"):
        list(read_rows(file_of(tmp_path, gzip.compress(f"[{LINE}, {long}]".encode()))))


def test_a_split_of_a_single_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="is no folder"):
        list(read_rows(file_of(tmp_path, LINE), split="train"))


def test_a_line_without_end_costs_no_more_than_its_limit(tmp_path: Path) -> None:
    path = file_of(tmp_path, b'{"a": "' + b"x" * (2 * LONGEST_LINE) + b'"}\n' + LINE.encode())
    first, second = read_rows(path)
    assert isinstance(first, BadRow)
    assert "longer than" in first.reason
    assert second == ROW


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="cannot be read"):
        require_rows(tmp_path / "none")
    with pytest.raises(RowError, match="holds no rows"):
        require_rows(file_of(tmp_path, "\n"))
    with pytest.raises(RowError, match="cannot be written"):
        write_rows(tmp_path / "no" / "rows.jsonl", [ROW])


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1).filter(str.strip)), min_size=1, max_size=5))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]) -> None:
    rows = [Row(({"role": "user", "content": a}, {"role": "assistant", "content": b}), {"n": 1}) for a, b in texts]
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    assert write_rows(path, rows) == len(rows)
    assert require_rows(path) == rows
    assert all(json.loads(line)["id"] for line in path.read_text("utf-8").split("\n")[:-1])


def test_half_a_surrogate_pair_is_written_so_that_it_can_be_read_again(tmp_path: Path) -> None:
    row = Row(({"role": "user", "content": "é\ud800"}, {"role": "assistant", "content": "b"}))
    path = tmp_path / "rows.jsonl"
    write_rows(path, [row, ROW])
    assert require_rows(path) == [row, ROW]
