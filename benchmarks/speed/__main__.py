"""Run the speed benchmarks, each in its own process, and print their table: `python -m benchmarks.speed --help`."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.speed.measured import Measured, machine

WORKS = ("generation", "training", "recipes", "scoring", "scan", "digits", "growth", "reading")
RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    """Run what was asked for, keep the results of the rest, and show them all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=WORKS, default=WORKS, metavar="WORK", help=", ".join(WORKS))
    parser.add_argument("--rows", type=int, default=1000, help="rows of generation, training and scoring (1000)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    parser.add_argument("--one", choices=WORKS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(options.one, options.rows, options.out)
        return
    results: dict[str, Any] = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    for work in options.only:
        sys.stderr.write(f"{work}\n")
        with tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / "part.json"
            # A process each: a warm allocator or thread pool of one must not help the next.
            command = [sys.executable, "-m", "benchmarks.speed", "--one", work, "--rows", str(options.rows)]
            subprocess.run([*command, "--out", str(part)], check=True)
            results[work] = json.loads(part.read_text(encoding="utf-8"))
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    show(results)


def run_one(work: str, rows: int, out: Path) -> None:
    """Measure one kind of work and write its record."""
    if work == "growth":
        from benchmarks.speed.growth import measure

        record: dict[str, Any] = {"growth": measure()}
    elif work == "reading":
        from benchmarks.speed.reading import measure as measure_reading

        record = {"reading": measure_reading()}
    else:
        found = importlib.import_module(f"benchmarks.speed.{work}").measure(rows)
        lines: list[Measured] = found if isinstance(found, list) else [found]
        record = {"lines": [asdict(line) | {"ratio": line.ratio} for line in lines]}
    record |= {"date": date.today().isoformat(), "machine": machine()}
    out.write_text(json.dumps(record), encoding="utf-8")


def show(results: dict[str, Any]) -> None:
    """Print the tables."""
    console = Console()
    table = Table("work", "against", "unit", "ours", "theirs", "ratio", "aim", "the same in both")
    for record in results.values():
        for line in record.get("lines", []):
            table.add_row(
                line["work"],
                line["against"],
                line["unit"],
                f"{line['ours']:,.1f}",
                f"{line['theirs']:,.1f}",
                f"{line['ratio']:.2f}",
                f"{line['at_least']:g}",
                line["same"],
            )
    console.print(table)
    if "growth" in results:
        grown = Table("growth", "rows", "seconds", "ms a row", "MB")
        for record in results["growth"]["growth"]:
            grown.add_row(
                record["work"],
                f"{record['rows']:,}",
                f"{record['seconds']:,.1f}",
                f"{1000 * record['seconds'] / record['rows']:.2f}",
                f"{record['megabytes']:,.0f}",
            )
        console.print(grown)
    if "reading" in results:
        read = Table("reading", "rows", "rows a second", "MB at 10,000 rows", "MB")
        for record in results["reading"]["reading"]:
            read.add_row(
                record["layout"],
                f"{record['rows']:,}",
                f"{record['rows_per_second']:,.0f}",
                f"{record['megabytes_at_10000']:,.0f}",
                f"{record['megabytes']:,.0f}",
            )
        console.print(read)


if __name__ == "__main__":
    main()
