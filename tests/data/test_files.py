import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.data.files import LONGEST_LINE, BadRow, read_located, read_rows, require_rows, write_rows
from undertow.data.rows import Row
from undertow.errors import InputError, RowError

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
    error = refusal(lambda: list(read_rows(file_of(tmp_path, f"[{LINE},\n"))))
    assert error.where == f"{path}, line 2"
    assert error.what.startswith("is no JSON (Expecting value at column 1")


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
    path = file_of(tmp_path, harm(data))
    error = refusal(lambda: require_rows(path))
    assert error.what.startswith("is damaged (")
    assert error.where == str(path)


def test_a_list_with_too_long_an_entry_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("undertow.data.files.LONGEST_LINE", 100)
    long = json.dumps({"prompt": "a", "completion": "b" * 100_000})
    with pytest.raises(RowError, match="an entry is longer than 100 characters"):
        list(read_rows(file_of(tmp_path, gzip.compress(f"[{LINE}, {long}]".encode()))))


def refusal(call: Callable[[], object]) -> InputError:
    """Return why a file is refused; the reason always says what to do."""
    with pytest.raises(InputError) as raised:
        call()
    assert raised.value.what
    assert raised.value.fix
    return raised.value


def test_a_split_of_a_single_file_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, LINE)
    error = refusal(lambda: list(read_rows(path, split="train")))
    assert error.what.startswith("is no folder")
    assert (error.where, "--split" in error.fix) == (str(path), True)


@pytest.mark.parametrize("over", [0, 1])
def test_a_line_may_be_as_long_as_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setattr("undertow.data.files.LONGEST_LINE", len(LINE) + 1 - over)
    first, second = read_rows(file_of(tmp_path, f"{LINE}\n{LINE}"))
    assert second == ROW
    assert isinstance(first, BadRow) == bool(over)


def test_places_count_blank_lines_and_entries_from_one(tmp_path: Path) -> None:
    path = file_of(tmp_path, f"\n{LINE}\n\n3\n")
    located = list(read_located(path))
    assert [(each.file, each.number) for each in located] == [(path, 2), (path, 4)]
    assert located[1].what == BadRow(f"{path}, line 4", "a row is an object with keys, not a number")
    assert [each.number for each in read_located(file_of(tmp_path, f"[{LINE}, 3]"))] == [1, 2]


def test_as_many_bad_lines_are_named_as_asked_and_the_others_counted(tmp_path: Path) -> None:
    path = file_of(tmp_path, "1\n" * 7 + LINE)
    for shown in (1, 3, 7):
        error = refusal(lambda shown=shown: require_rows(path, shown=shown))
        assert error.where == f"{path}, line 1"
        assert error.what.count("a row is an object") == shown
        assert (f"and {7 - shown} more" in error.what) == (shown < 7)
        assert "1 rows" in error.what
        assert "7 cannot" in error.what
        assert "--skip-broken" in error.fix
    assert refusal(lambda: require_rows(path)).what.count("a row is an object") == 5


def test_what_could_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[Row]:
        yield ROW
        raise KeyboardInterrupt

    path = file_of(tmp_path, LINE)
    with pytest.raises(KeyboardInterrupt):
        write_rows(path, breaks_off())
    assert [each.name for each in tmp_path.iterdir()] == ["rows.jsonl"]
    assert require_rows(path) == [ROW]


def test_a_line_without_end_costs_no_more_than_its_limit(tmp_path: Path) -> None:
    path = file_of(tmp_path, b'{"a": "' + b"x" * (2 * LONGEST_LINE) + b'"}\n' + LINE.encode())
    first, second = read_rows(path)
    assert isinstance(first, BadRow)
    assert "longer than" in first.reason
    assert second == ROW


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    absent, empty, closed = tmp_path / "none", file_of(tmp_path, "\n"), tmp_path / "no" / "rows.jsonl"
    for call, path, what in (
        (lambda: require_rows(absent), absent, "cannot be read (No such file or directory)"),
        (lambda: require_rows(empty), empty, "holds no rows"),
        (lambda: write_rows(closed, [ROW]), closed, "lies in no folder that is there"),
    ):
        error = refusal(call)
        assert (error.what, error.where) == (what, str(path))


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
    write_rows(path, [Row(({"role": "user", "content": "é"}, {"role": "assistant", "content": "b"}))])
    assert "é" in path.read_text("utf-8"), "what UTF-8 can write is written plainly"
