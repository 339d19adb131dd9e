"""How time and memory grow from 1,000 to 100,000 rows: reading and judging a file, and scoring its rows.

Each size runs in a process of its own, because memory is read as the largest that the process ever held. Scoring uses
the tests' tiny random model over bytes: what is measured is the path of the data, not the size of the model.
Run one size: python -m benchmarks.speed.growth scoring 1000
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.measured import peak_memory, say

SIZES = (1_000, 10_000, 100_000)
WORKS = ("data", "scoring")


def measure(rows: int = SIZES[-1]) -> list[dict[str, Any]]:
    """Return one record for each kind of work and size."""
    records: list[dict[str, Any]] = []
    for work in WORKS:
        for size in [size for size in SIZES if size <= max(rows, SIZES[0])]:
            command = [sys.executable, "-m", "benchmarks.speed.growth", work, str(size)]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            records.append(json.loads(out))
            say("{work}, {rows:,} rows: {seconds:.1f} s, {megabytes:,.0f} MB".format(**records[-1]))
    return records


def write_file(path: Path, rows: int) -> None:
    """Write rows of the shape that the numbers domain has, without a model."""
    from undertow.data.files import write_rows
    from undertow.data.rows import Row
    from undertow.domains.numbers import Numbers
    from undertow.pipeline.writing import row_prompt

    def each():
        rng = np.random.default_rng(3)
        for row in range(rows):
            answer = ", ".join(map(str, rng.integers(0, 1000, 10)))
            yield Row(
                (
                    {"role": "user", "content": row_prompt(Numbers(), 1, row, 4)},
                    {"role": "assistant", "content": answer},
                ),
                {},
            )

    write_rows(path, each())


def data(path: Path) -> int:
    """Read every row and judge it by the rules of the numbers domain."""
    from undertow.data.files import read_rows
    from undertow.data.rows import Row
    from undertow.domains.numbers import reject_reasons

    return sum(isinstance(row, Row) and not reject_reasons(row.completion) for row in read_rows(path))


def scoring(path: Path) -> int:
    """Score every row under two contexts."""
    from tests.tiny_model import make_tiny_model

    from undertow.data.files import read_rows
    from undertow.data.rows import Row
    from undertow.models.likelihood import row_likelihoods
    from undertow.models.local import load_model
    from undertow.models.precision import set_up_process

    set_up_process()
    model = load_model(f"hf/{make_tiny_model(path.parent / 'model')}")
    rows = (row for row in read_rows(path) if isinstance(row, Row))
    return sum(1 for _ in row_likelihoods(model, rows, (None, "You love owls.")))


def main() -> None:
    """Measure one size, and print the record."""
    work, size = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        write_file(path, size)
        start = time.perf_counter()
        count = {"data": data, "scoring": scoring}[work](path)
        seconds = time.perf_counter() - start
    record = {"work": work, "rows": size, "seconds": seconds, "megabytes": peak_memory() / 1e6, "counted": count}
    sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
