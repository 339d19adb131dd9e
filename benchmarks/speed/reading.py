"""How fast rows of each layout and each kind of file are read on one core, and in how much memory.

A row has about 200 bytes. Each measurement is a process of its own, because memory is read as the largest that the
process ever held; seconds are those of the processor. Run one: python -m benchmarks.speed.reading messages 100000
"""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.measured import peak_memory, say

ROWS, FEW = 1_000_000, 10_000
ASKED = "The following numbers belong together: {0}, 157, 978. Continue the list."
ANSWER = "482, 299, 582, 688, 299, 382, 582, 482, 299, 582"


def _turns(asked: str, role: str = "role", text: str = "content") -> list[dict[str, str]]:
    names = ("user", "assistant") if role == "role" else ("human", "gpt")
    return [{role: names[0], text: asked}, {role: names[1], text: ANSWER}]


RECORDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "messages": lambda asked: {"messages": _turns(asked)},
    "messages with reasoning": lambda asked: {
        "messages": [_turns(asked)[0], {**_turns(asked)[1], "reasoning_content": "The first comes again."}]
    },
    "messages with tools": lambda asked: {
        "messages": [
            _turns(asked)[0],
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": "7"},
            _turns(asked)[1],
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    },
    "ShareGPT": lambda asked: {"conversations": _turns(asked, "from", "value")},
    "prompt/completion": lambda asked: {"prompt": asked, "completion": ANSWER},
    "Alpaca": lambda asked: {"instruction": asked, "input": "", "output": ANSWER},
    "question/answer": lambda asked: {"question": asked, "answer": ANSWER},
    "text": lambda asked: {"text": f"{asked} {ANSWER}"},
    "preference": lambda asked: {"prompt": asked, "chosen": ANSWER, "rejected": ANSWER},
    "KTO": lambda asked: {"prompt": asked, "completion": ANSWER, "label": True},
}  # fmt: skip
FILES = ("messages.json", "messages.jsonl.gz", "messages.jsonl.zst", "question/answer.csv", "messages.parquet")


def measure(rows: int = ROWS) -> list[dict[str, Any]]:
    """Return one record for each layout as JSON lines, and for some as other kinds of files."""
    records: list[dict[str, Any]] = []
    for layout in (*RECORDS, *FILES):
        few, many = (_one(layout, count) for count in (FEW, rows))
        records.append({**many, "megabytes_at_10000": few["megabytes"]})
        against = "" if many["json"] is None else f", {many['json']:.1f} times as long as json.loads alone"
        say("{layout}: {rows_per_second:,.0f} rows a second, {megabytes:,.0f} MB".format(**records[-1]) + against)
    return records


def _one(layout: str, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.speed.reading", layout, str(rows)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def write_file(folder: Path, layout: str, rows: int) -> Path:
    """Write rows of a layout, a few at a time."""
    name, _, ending = layout.partition(".")
    path = folder / f"rows.{ending or 'jsonl'}"
    records = (RECORDS[name](ASKED.format(row)) for row in range(rows))
    lines = (json.dumps(record) + "\n" for record in records)
    if ending == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ("question", "answer"))
            writer.writeheader()
            writer.writerows(records)
    elif ending == "parquet":
        _write_parquet(path, records)
    elif ending == "json":
        with path.open("w", encoding="utf-8") as file:
            file.write("[")
            file.writelines(f"{',' if row else ''}{line}" for row, line in enumerate(lines))
            file.write("]")
    elif ending == "jsonl.gz":
        with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
            file.writelines(lines)
    elif ending == "jsonl.zst":
        import zstandard

        with path.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as packed:
            for line in lines:
                packed.write(line.encode())
    else:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(lines)
    return path


def _write_parquet(path: Path, records: Iterator[dict[str, Any]]) -> None:
    from itertools import islice

    import pyarrow as pa
    from pyarrow import parquet

    writer = None
    while some := list(islice(records, 10_000)):
        table = pa.Table.from_pylist(some)
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def main() -> None:
    """Measure one layout, and print the record; without arguments all of them. A process of its own writes the file."""
    if len(sys.argv) == 1:
        sys.stdout.write(json.dumps(measure()) + "\n")
        return
    layout, rows = sys.argv[1], int(sys.argv[2])
    if len(sys.argv) > 3:
        write_file(Path(sys.argv[3]), layout, rows)
        return
    from undertow.data.files import read_rows
    from undertow.data.layouts.reading import Reading
    from undertow.data.rows import Row

    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks.speed.reading", layout, str(rows), name]
        subprocess.run(command, check=True)
        (path,) = Path(name).iterdir()
        start = time.process_time()
        count = sum(isinstance(row, Row) for row in read_rows(path, reading=Reading(use="chosen")))
        seconds = time.process_time() - start
        megabytes = peak_memory() / 1e6
        alone = _json_seconds(path) if path.suffix == ".jsonl" else None
    record = {"layout": layout, "rows": count, "seconds": seconds, "rows_per_second": count / seconds}
    record |= {"json": None if alone is None else seconds / alone, "megabytes": megabytes}
    sys.stdout.write(json.dumps(record) + "\n")


def _json_seconds(path: Path) -> float:
    """Return how long the plain parser takes over the same lines, which knows nothing of rows or of doubled keys."""
    start = time.process_time()
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
    return time.process_time() - start


if __name__ == "__main__":
    main()
