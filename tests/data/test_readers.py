"""Every reader against a plain oracle: `json.loads` of each line, and then `parse_row`."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from public_layouts import GENERATORS, NAMES

from undertow.data.counts import Counts
from undertow.data.files import BadRow, LeftOut, read_rows, write_rows
from undertow.data.layouts.reading import Reading
from undertow.data.layouts.records import parse_row
from undertow.data.rows import Row, UnreadableRow

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
turns = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool", "owl"]), "content": texts},
        optional={"reasoning_content": texts, "weight": st.sampled_from([0, 1, 0.5]), "name": texts},
    ),
    max_size=4,
)
conversations = st.fixed_dictionaries({"messages": turns}, optional={"topic": texts, "tools": st.just([{"a": "b"}])})
pairs = st.fixed_dictionaries({"prompt": texts, "completion": texts, "topic": texts})
READ_ALL = Reading(loss="all")


def expected(record: Any) -> Row | str:
    try:
        return parse_row(record)
    except UnreadableRow as error:
        return str(error)


def found(path: Path) -> list[Row | str]:
    return [each.reason if isinstance(each, BadRow) else each for each in read_rows(path, reading=READ_ALL)]


def lines(records: list[Any]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def as_parquet(path: Path, records: list[Any]) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.Table.from_pylist(records), path)


def as_arrow(path: Path, records: list[Any]) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pylist(records)
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table, max_chunksize=2)


def as_zstd(path: Path, records: list[Any]) -> None:
    path.write_bytes(pytest.importorskip("zstandard").ZstdCompressor().compress(lines(records)))


WRITERS: dict[str, Callable[[Path, list[Any]], object]] = {
    "rows.jsonl": lambda path, records: path.write_bytes(lines(records)),
    "rows.json": lambda path, records: path.write_text(json.dumps(records, indent=1), encoding="utf-8"),
    "rows.jsonl.gz": lambda path, records: path.write_bytes(gzip.compress(lines(records), 1)),
    "rows.jsonl.zst": as_zstd,
    "rows.parquet": as_parquet,
    "rows.arrow": as_arrow,
}


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=60, deadline=None)
@given(records=st.lists(conversations, min_size=1, max_size=5))
def test_every_kind_of_file_gives_the_rows_of_its_records(
    tmp_path_factory: pytest.TempPathFactory, name: str, records: list[Any]
) -> None:
    if name.endswith((".parquet", ".arrow")):
        # Its columns are those of the first record, and a column without a value has no type.
        records = [{"messages": record["messages"], "topic": record.get("topic", "t")} for record in records]
        records = [record for record in records if record["messages"]] or [
            {"messages": [{"role": "user"}], "topic": ""}
        ]
    path = tmp_path_factory.mktemp("rows") / name
    WRITERS[name](path, records)
    assert found(path) == [expected(record) for record in records]


@pytest.mark.parametrize(("name", "dialect"), [("rows.csv", "excel"), ("rows.tsv", "excel-tab")])
@settings(max_examples=60, deadline=None)
@given(records=st.lists(pairs, min_size=1, max_size=5))
def test_cells_give_the_rows_of_their_records(
    tmp_path_factory: pytest.TempPathFactory, name: str, dialect: str, records: list[Any]
) -> None:
    path = tmp_path_factory.mktemp("rows") / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), dialect=dialect, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(records)
    assert found(path) == [expected(record) for record in records]


def strictly(line: str) -> Any:
    """Read JSON as a reader does that takes no key twice: the plain parser, and a look at each object."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if max(Counter(key for key, _ in pairs).values(), default=0) > 1:
            raise ValueError
        return dict(pairs)

    return json.loads(line, object_pairs_hook=checked)


@settings(max_examples=200, deadline=None)
@given(st.lists(conversations.map(json.dumps), min_size=1, max_size=4), st.data())
def test_lines_that_a_plain_parser_refuses_are_bad_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[str], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(wanted) - 1))
    line = wanted[place]
    at = data.draw(st.integers(1, len(line)))
    piece = data.draw(st.sampled_from(["", '"', ",", "}", '"role": "user", ', "{", "1", " "]))
    lines = [*wanted[:place], line[:at] + piece + line[at:], *wanted[place + 1 :]]
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text('{"messages": 0}\n' + "\n".join(lines), encoding="utf-8")
    results = found(path)[1:]
    assert len(results) == len(lines)
    for text, result in zip(lines, results, strict=True):
        try:
            record = strictly(text)
        except ValueError:
            assert isinstance(result, str)
        else:
            assert result == expected(record)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("seed", [1, 2])
def test_files_of_public_layouts_are_counted_exactly(tmp_path: Path, name: str, seed: int) -> None:
    records, wanted = GENERATORS[name](300, seed)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(lines(records))
    rows = list(read_rows(path))
    counts = Counts()
    for row in rows:
        if isinstance(row, Row):
            counts.add(row)
    got = {**counts.record(), "rows": counts.rows, "left_out": sum(isinstance(row, LeftOut) for row in rows)}
    assert {key: got[key] for key in NAMES} == dict(wanted)
    beside = {"openai": {"parallel_tool_calls"}, "sharegpt": set[str](), "reasoning": {"source", "generations"}}
    assert counts.unread == dict.fromkeys(beside[name], counts.rows)
    # Written in one layout, the rows and their counts are the same.
    good = [row for row in rows if isinstance(row, Row)]
    write_rows(tmp_path / "again.jsonl", good)
    assert list(read_rows(tmp_path / "again.jsonl")) == good
    assert [row.id for row in good] == [json.loads(line)["id"] for line in (tmp_path / "again.jsonl").open()]
