"""Files that are packed, piped, in other encodings or of other kinds; and tables of cells."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from undertow.data.files import BadRow, read_rows, require_rows
from undertow.data.layouts.reading import Reading, parse_columns
from undertow.data.rows import Row
from undertow.errors import MissingExtraError, RowError

LINE = '{"prompt": "a", "completion": "b"}'
ROW = Row(({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}))
WORD = '{"prompt": "caf\u00e9", "completion": "b"}'


def zstd(data: bytes, level: int = 3) -> bytes:
    return pytest.importorskip("zstandard").ZstdCompressor(level=level).compress(data)


def file_of(folder: Path, data: bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("rows.jsonl", LINE)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["rows.jsonl.zst", "rows.jsonl", "rows"])
def test_zstd_is_read_as_what_is_in_it(tmp_path: Path, name: str) -> None:
    data = f"{LINE}\n".encode()
    assert require_rows(file_of(tmp_path, zstd(data * 3), name)) == [ROW] * 3
    assert require_rows(file_of(tmp_path, zstd(data) + zstd(data), name)) == [ROW] * 2
    assert require_rows(file_of(tmp_path, zstd(f"[{LINE}]".encode()), name)) == [ROW]
    assert require_rows(file_of(tmp_path, zstd(b"prompt,completion\na,b\n"), "rows.csv.zst")) == [ROW]


def test_a_zstd_file_that_breaks_off_is_an_error_and_no_shorter_dataset(tmp_path: Path) -> None:
    data = zstd("".join(f'{{"prompt": "{n}", "completion": "b"}}\n' for n in range(5000)).encode())
    for cut in (1, 8, len(data) // 2):
        with pytest.raises(RowError, match="is damaged"):
            require_rows(file_of(tmp_path, data[:-cut]))


def test_what_a_zstd_file_unpacks_to_costs_no_more_than_its_longest_line(tmp_path: Path) -> None:
    path = file_of(tmp_path, zstd(b'{"a": "' + b"x" * 50_000_000 + b'"}\n' + LINE.encode()))
    first, second = read_rows(path)
    assert isinstance(first, BadRow)
    assert "longer than" in first.reason
    assert second == ROW


def test_without_zstandard_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of(tmp_path, zstd(LINE.encode()))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'undertow\[data\]'"):
        require_rows(path)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (zipped(), "a zip archive"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\x89PNG\r\n\x1a\n", r"a picture \(PNG\)"),
        (b"BZh91AY", "packed with bzip2"),
        (b"\xfd7zXZ\0", "packed with xz"),
        (b"FEA1" + b"\0" * 40, "Feather"),
        (b"\x80\x04\x95", "a Python pickle, which is never opened"),
        (b"\0" * 257 + b"ustar", "a tar archive"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b'{\n "prompt": "a",\n "completion": "b"\n}\n', "rows go over several lines"),
        (b"prompt,completion\na,b\n", r"it begins with 'prompt,completion'"),
        (b"# Notes\n\nSome text.\n", "it begins with '# Notes'"),
        (b'"a"\n3\n', "no JSON: it begins with"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_another_kind_is_named_once(tmp_path: Path, data: bytes, kind: str, packed: bool) -> None:
    path = file_of(tmp_path, gzip.compress(data) if packed else data)
    with pytest.raises(RowError, match=kind) as caught:
        list(read_rows(path))
    assert str(caught.value).count(str(path)) == 1
    assert caught.value.fix


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize("lines", [1, 3])
def test_a_file_in_another_encoding_is_told_once_and_how_to_save_it(tmp_path: Path, encoding: str, lines: int) -> None:
    path = file_of(tmp_path, "".join(f"{WORD}\n" for _ in range(lines)).encode(encoding))
    with pytest.raises(
        RowError, match=r"is in UTF-(16|32)\w*, not in UTF-8|is not in UTF-8 but, it seems, in Latin-1"
    ) as caught:
        list(read_rows(path))
    # The command that the message names does it.
    name = caught.value.fix.partition("-f ")[2].partition(" ")[0]
    path.write_text(path.read_bytes().decode(name), encoding="utf-8")
    assert [row.messages[0]["content"] for row in require_rows(path)] == ["café"] * lines


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "koi8-r"])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_an_encoding_that_cannot_be_guessed_is_not_named(tmp_path: Path, encoding: str, name: str) -> None:
    word = {"gbk": "水果", "shift_jis": "果物", "koi8-r": "плод"}[encoding]
    text = f"prompt,completion\n{word},b\n" if name == "rows.csv" else LINE.replace('"a"', f'"{word}"')
    with pytest.raises(RowError, match=r"is not in UTF-8 \(line \d, byte \d+\)\n.* -f ENCODING "):
        list(read_rows(file_of(tmp_path, text.encode(encoding), name)))


def test_a_damaged_byte_in_a_file_in_utf8_costs_its_line_alone(tmp_path: Path) -> None:
    path = file_of(tmp_path, WORD.encode() + b"\n" + WORD.encode("latin-1") + b"\n" + LINE.encode())
    first, second, third = read_rows(path)
    assert isinstance(first, Row)
    assert second == BadRow(f"{path}, line 2", "it is no JSON (not UTF-8 at byte 16)")
    assert third == ROW


def test_marks_of_byte_order_and_other_line_ends_are_no_part_of_a_row(tmp_path: Path) -> None:
    data = f"{LINE}\r\n\r\n{LINE}\r\n".encode()
    assert require_rows(file_of(tmp_path, codecs.BOM_UTF8 + data)) == [ROW, ROW]


def piped(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError):  # the reader refuses
            path.write_bytes(data)

    threading.Thread(target=write, daemon=True).start()
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such pipes")
@pytest.mark.parametrize("packed", [lambda data: data, gzip.compress, zstd])
def test_a_pipe_is_read_where_a_verb_reads_it_once(tmp_path: Path, packed: Any) -> None:
    data = "".join(f'{{"prompt": "{n}", "completion": "b"}}\n' for n in range(20_000)).encode()
    rows = list(read_rows(piped(tmp_path, packed(data)), reading=Reading(pipes=True)))
    assert [row.messages[0]["content"] for row in rows if isinstance(row, Row)] == [str(n) for n in range(20_000)]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such pipes")
def test_a_pipe_is_refused_where_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="read only once"):
        list(read_rows(piped(tmp_path, LINE.encode())))
    (tmp_path / "pipe").unlink()
    with pytest.raises(RowError, match="Parquet or Arrow, packed or in a pipe"):
        list(read_rows(piped(tmp_path, b"PAR1"), reading=Reading(pipes=True)))


@pytest.mark.skipif(sys.platform == "win32", reason="it has no /dev/stdin")
@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_read_by_both_its_names(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "undertow", "rows", name, "--json"],
        input=f"{LINE}\n{LINE}\n".encode(), capture_output=True, check=True,
    )  # fmt: skip
    counts = json.loads(done.stdout)
    assert (counts["rows"], counts["distinct"]) == (2, 1)


@pytest.mark.parametrize(("ending", "mark"), [(".csv", ","), (".tsv", "\t")])
def test_tables_of_cells_are_read_by_the_name_of_the_file(tmp_path: Path, ending: str, mark: str) -> None:
    text = f'\ufeffinstruction{mark} input{mark}output\r\n"Go on,\n""now"""{mark}{mark}5, 6\n\nx{mark}y{mark}z\n'
    if ending == ".csv":
        text = text.replace("5, 6", '"5, 6"')
    rows = require_rows(file_of(tmp_path, text.encode(), f"rows{ending}"))
    assert [[turn["content"] for turn in row.messages] for row in rows] == [['Go on,\n"now"', "5, 6"], ["x\n\ny", "z"]]


def test_cells_with_lists_of_turns_are_json(tmp_path: Path) -> None:
    turns = json.dumps([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]).replace('"', '""')
    path = file_of(tmp_path, f'messages,weight,train,topic\n"{turns}",0.5,,t\n"{turns}",,True,t\n'.encode(), "r.csv")
    first, second = require_rows(path)
    assert (first.messages, first.weight, first.meta) == (ROW.messages, 0.5, {"topic": "t"})
    assert second.weight == 1
    path = file_of(tmp_path, f'talk\n"{turns}"\n'.encode(), "r.csv")
    assert require_rows(path, reading=Reading(parse_columns("messages=talk"))) == [ROW]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prompt,prompt\na,b\n", "two columns called 'prompt'"),
        ('prompt,completion\na,"b\n', "is no table of cells"),
        ("prompt,completion\ncaf\xe9,b\n", "in Latin-1"),
        ("prompt,completion\n" + "x" * 20_000_000, "longer than 16,000,000 bytes"),
    ],
)
def test_a_broken_table_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        list(read_rows(file_of(tmp_path, text.encode("latin-1"), "rows.csv")))


def test_a_record_with_other_cells_than_the_header_is_no_row(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"prompt,completion\na,b\na\na,b,c\na,\n", "rows.csv")
    first, *bad = read_rows(path)
    assert first == ROW
    assert bad == [
        BadRow(f"{path}, row 2", "it has 1 cells, and the header has 2"),
        BadRow(f"{path}, row 3", "it has 3 cells, and the header has 2"),
        BadRow(f"{path}, row 4", "the assistant's answer is empty"),
    ]


def test_a_named_column_that_is_not_there_is_told_once_with_the_nearest(tmp_path: Path) -> None:
    path = file_of(tmp_path, b'{"question": "a", "reply": "b"}\n' * 3)
    good = Reading(parse_columns("prompt=question,answer=reply"))
    assert require_rows(path, reading=good) == [ROW] * 3
    with pytest.raises(RowError, match=r"has no column 'qestion'\n.*did you mean 'question'"):
        list(read_rows(path, reading=Reading(parse_columns("prompt=qestion,answer=reply"))))
    with pytest.raises(RowError, match="has no column 'persona' in any row"):
        list(read_rows(path, reading=Reading(parse_columns("prompt=question,answer=reply,system=persona"))))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"prompt": "a", "prompt": "c", "completion": "b"}', "the key 'prompt' stands twice in one object"),
        ('{"messages": [{"role": "user", "role": "assistant"}]}', "the key 'role' stands twice in one object"),
        ('{"prompt": "a", "completion": "b", "n": 1e999}', "it is no JSON (1e999 is out of range)"),
        ('{"prompt": "a", "completion": "b", "n": -1E+400}', "it is no JSON (-1E+400 is out of range)"),
        (f'{{"n": {"9" * 400}}}', "it is no JSON (a number of 400 digits is out of range)"),
    ],
)
@pytest.mark.parametrize("form", ["lines", "list"])
def test_what_readers_of_json_take_differently_is_refused_where_it_stands(
    tmp_path: Path, line: str, reason: str, form: str
) -> None:
    path = file_of(tmp_path, (f"{LINE}\n{line}\n{LINE}" if form == "lines" else f"[{LINE},{line},{LINE}]").encode())
    first, bad, last = read_rows(path)
    assert (first, last) == (ROW, ROW)
    assert isinstance(bad, BadRow)
    assert reason.removeprefix("it is no JSON (").removesuffix(")") in bad.reason
    assert bad.where == f"{path}, {'line' if form == 'lines' else 'entry'} 2"
