"""Parquet and Arrow files, made here by pyarrow."""

import datetime
import decimal
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from undertow.data.files import BadRow, read_rows, require_rows, write_rows
from undertow.data.rows import Row
from undertow.errors import MissingExtraError, RowError

TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
ROW = Row(({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}))
PAIR = {"prompt": "a", "completion": "b"}


def arrow() -> Any:
    return pytest.importorskip("pyarrow")


def parquet_of(folder: Path, records: list[dict[str, Any]] | Any, **more: Any) -> Path:
    pa = arrow()
    table = pa.Table.from_pylist(records) if isinstance(records, list) else records
    pytest.importorskip("pyarrow.parquet").write_table(table, folder / "rows.parquet", **more)
    return folder / "rows.parquet"


def stream_of(folder: Path, records: list[dict[str, Any]] | Any, rows_at_once: int = 1000) -> Path:
    pa = arrow()
    table = pa.Table.from_pylist(records) if isinstance(records, list) else records
    with pa.ipc.new_stream(str(folder / "rows.arrow"), table.schema) as stream:
        stream.write_table(table, max_chunksize=rows_at_once)
    return folder / "rows.arrow"


def file_of(folder: Path, records: list[dict[str, Any]] | Any) -> Path:
    pa = arrow()
    table = pa.Table.from_pylist(records) if isinstance(records, list) else records
    with pa.ipc.new_file(str(folder / "file.arrow"), table.schema) as file:
        file.write_table(table, max_chunksize=3)
    return folder / "file.arrow"


KINDS = pytest.mark.parametrize("write", [parquet_of, stream_of, file_of])


@KINDS
@pytest.mark.parametrize(
    "record",
    [
        {"messages": TURNS},
        PAIR,
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
        {"instruction": "a", "input": None, "output": "b"},
    ],
)
def test_every_layout_gives_the_rows_of_json(
    tmp_path: Path, write: Callable[..., Path], record: dict[str, Any]
) -> None:
    assert list(read_rows(write(tmp_path, [record] * 200))) == [ROW] * 200


@KINDS
def test_rows_keep_their_order_and_what_stands_beside_them(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path, [{**PAIR, "n": n, "meta": {"teacher": "t"}} for n in range(300)])
    assert [row.meta for row in require_rows(path)] == [{"n": n, "teacher": "t"} for n in range(300)]


def test_a_parquet_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = parquet_of(tmp_path, [PAIR])
    assert require_rows(path.rename(tmp_path / "rows")) == [ROW]


def test_two_layouts_in_one_file_are_an_error_that_names_both(tmp_path: Path) -> None:
    pa = arrow()
    turn = pa.list_(pa.struct({"role": pa.string(), "content": pa.string()}))
    names = {name: pa.string() for name in ("prompt", "completion", "instruction", "output", "text")}
    schema = pa.schema({"messages": turn, **names})
    path = parquet_of(tmp_path, pa.Table.from_pylist([PAIR, {"prompt": "a"}, PAIR], schema))
    first, second, third = read_rows(path)
    assert (first, third) == (ROW, ROW)
    assert isinstance(second, BadRow)
    assert second.where == f"{path}, row 2"
    path = parquet_of(tmp_path, pa.Table.from_pylist([{"messages": TURNS}, PAIR], schema))
    with pytest.raises(RowError, match=r"two layouts: messages \(row 1\) and prompt/completion \(row 2\)"):
        list(read_rows(path))


@KINDS
def test_a_bad_record_is_named_by_file_and_row(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path, [PAIR] * 99 + [{"prompt": "a", "completion": None}] + [PAIR])
    rows = list(read_rows(path))
    assert rows[99] == BadRow(f"{path}, row 100", "completion is missing, not text")
    assert rows.count(ROW) == 100
    with pytest.raises(RowError, match="row 100: completion is missing"):
        require_rows(path)


@KINDS
def test_broken_utf8_costs_its_row_alone(tmp_path: Path, write: Callable[..., Path]) -> None:
    pa = arrow()
    broken = pa.array([b"b", b"\xff\xfe", b"b"]).view(pa.string())
    path = write(tmp_path, pa.table({"prompt": ["a", "a", "a"], "completion": broken}))
    first, second, third = read_rows(path)
    assert (first, third) == (ROW, ROW)
    assert isinstance(second, BadRow)
    assert second.where == f"{path}, row 2"
    assert second.reason.startswith("it cannot be decoded (")


@pytest.mark.parametrize("write", [stream_of, file_of])
def test_text_that_points_outside_its_file_is_not_read(tmp_path: Path, write: Callable[..., Path]) -> None:
    """The first and the last offset are right; the one between them would give away the memory behind the text."""
    pa = arrow()
    offsets, data = pa.py_buffer(struct.pack("<3i", 0, 6, 2)), pa.py_buffer(b"bb")
    outside = pa.Array.from_buffers(pa.string(), 2, [None, offsets, data])
    rows = list(read_rows(write(tmp_path, pa.table({"prompt": pa.array(["a", "a"]), "completion": outside}))))
    assert len(rows) == 2
    assert all(isinstance(row, BadRow) and row.reason.startswith("it cannot be decoded (") for row in rows)


@KINDS
def test_nul_bytes_and_a_megabyte_of_text_are_text(tmp_path: Path, write: Callable[..., Path]) -> None:
    texts = ["a\0b", "é" * 500_000, "b"]
    rows = require_rows(write(tmp_path, [{"prompt": "a", "completion": text} for text in texts]))
    assert [row.completion for row in rows] == texts


@KINDS
def test_a_record_longer_than_the_limit_is_no_row(
    tmp_path: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undertow.data.files.LONGEST_LINE", 1000)
    path = write(tmp_path, [PAIR, {"prompt": "a", "completion": "x" * 2000}, PAIR])
    assert list(read_rows(path)) == [ROW, BadRow(f"{path}, row 2", "it is longer than 1,000 bytes"), ROW]


@KINDS
def test_an_empty_file_one_row_and_equal_rows(tmp_path: Path, write: Callable[..., Path]) -> None:
    pa = arrow()
    path = write(tmp_path, pa.table({"prompt": pa.array([], pa.string()), "completion": pa.array([], pa.string())}))
    assert list(read_rows(path)) == []
    with pytest.raises(RowError, match="holds no rows"):
        require_rows(path)
    assert require_rows(write(tmp_path, [PAIR])) == [ROW]
    rows = require_rows(write(tmp_path, [PAIR] * 1000))
    assert (len(rows), len({row.id for row in rows})) == (1000, 1)


def test_what_json_has_no_word_for_becomes_text(tmp_path: Path) -> None:
    record = {
        **PAIR,
        "day": datetime.date(2025, 7, 20),
        "price": decimal.Decimal("1.50"),
        "raw": b"\x00\xff",
        "score": float("nan"),
        "share": 0.5,
        "inner": [{"at": datetime.datetime(2025, 7, 20, 1, 2)}],
    }
    (row,) = require_rows(parquet_of(tmp_path, [record]))
    assert row.meta == {
        "day": "2025-07-20",
        "price": "1.50",
        "raw": "00ff",
        "score": "nan",
        "share": 0.5,
        "inner": [{"at": "2025-07-20T01:02:00"}],
    }
    write_rows(tmp_path / "rows.jsonl", [row])
    assert require_rows(tmp_path / "rows.jsonl") == [row]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    pa = arrow()
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])], ["prompt", "completion", "prompt"]
    )
    with pytest.raises(RowError, match="two columns are called 'prompt'"):
        list(read_rows(stream_of(tmp_path, table)))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("rows.parquet", b""),
        ("rows.parquet", b'{"prompt": "a", "completion": "b"}\n'),
        ("rows.parquet", b"PAR1" + b"\0" * 100 + b"PAR1"),
        ("rows", b"PAR1"),
        ("rows.arrow", b""),
        ("rows.arrow", b"ARROW1\0\0" + b"\xff" * 100),
        ("rows.arrow", b"\xff" * 1000),
        ("rows.arrow", b"\0" * 1000),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    arrow()
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(RowError, match="cannot be read") as raised:
        require_rows(path)
    assert raised.value.where == str(path)
    assert raised.value.fix


@pytest.mark.parametrize("cut", [1, 8, 100, 2000])
def test_a_stream_that_breaks_off_is_an_error_and_no_shorter_dataset(tmp_path: Path, cut: int) -> None:
    path = stream_of(tmp_path, [PAIR] * 500, rows_at_once=100)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(RowError, match="cannot be read") as raised:
        require_rows(path)
    if cut == 8:  # Arrow takes what is left for a whole stream
        assert "it ends before its end mark, so rows are missing" in raised.value.what
    read = int(raised.value.where.removeprefix(f"{path}, after row "))
    assert read == 500 if cut <= 8 else read in (100, 200, 300, 400), "whole batches"


def test_a_parquet_file_whose_pages_were_changed_is_an_error(tmp_path: Path) -> None:
    records = [{"prompt": f"ask {n}", "completion": f"say {n}"} for n in range(500)]
    path = parquet_of(tmp_path, records, compression="none", write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[data.index(b"say 77")] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RowError, match="cannot be read"):
        require_rows(path)


@KINDS
def test_no_change_of_a_byte_ends_in_anything_but_rows_or_an_error(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path, [{"messages": TURNS, "n": n} for n in range(20)])
    (tmp_path / "read.py").write_text(
        "import random, sys\nfrom pathlib import Path\nfrom undertow.errors import RowError\n"
        "from undertow.data.files import read_rows\n"
        "path = Path(sys.argv[1])\ndata = path.read_bytes()\nrandom.seed(1)\n"
        "for _ in range(500):\n"
        "    changed = bytearray(data)\n"
        "    for _ in range(random.choice([1, 3, 30])):\n"
        "        changed[random.randrange(len(data))] = random.randrange(256)\n"
        "    path.write_bytes(changed)\n"
        "    try:\n        list(read_rows(path))\n    except RowError:\n        pass\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "read.py"), str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is told by /proc")
@pytest.mark.parametrize(
    ("write", "how"), [(parquet_of, {"row_group_size": 1000}), (stream_of, {"rows_at_once": 10**6})]
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, write: Callable[..., Path], how: dict[str, int]) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom undertow.data.files import read_rows\n"
        "count = sum(1 for _ in read_rows(Path(sys.argv[1])))\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(count, status.partition('VmHWM:')[2].split()[0])"
    )
    peaks: list[int] = []
    for count in (2_000, 40_000):
        records = [{"prompt": f"{n}", "completion": f"{n} " * 500} for n in range(count)]
        path = write(tmp_path, records, **how)
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120, check=True
        )
        rows, peak = map(int, done.stdout.split())
        assert rows == count
        peaks.append(peak)
    # The larger file holds 100 MB more.
    assert peaks[1] < peaks[0] + 20_000


def test_without_pyarrow_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match=r"pip install 'undertow\[data\]'"):
        require_rows(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text(json.dumps(PAIR))
    assert require_rows(tmp_path / "rows.jsonl") == [ROW]
