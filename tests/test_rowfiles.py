import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import RowError
from undertow.rowfiles import LONGEST_LINE, BadRow, read_rows, require_rows, write_rows
from undertow.rows import Row

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
