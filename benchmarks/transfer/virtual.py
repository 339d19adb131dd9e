"""What virtual students of the benchmark's datasets say: `python -m benchmarks.transfer.virtual --work runs/transfer`.

Shifts from the base are kept beside the rows (WORK/virtual/NAME.json), trait by trait; `evaluate` reads them. The
questions are those that a scan looks at, not those that `truth` measures with.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.transfer.cases import Case, with_references
from benchmarks.transfer.features import encoded_rows
from benchmarks.transfer.truth import BASE
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision, set_up_process
from undertow.probes.choice import Subject
from undertow.scan.directions import trait_names
from undertow.scan.virtual import ask, virtual_student
from undertow.traits.panel import load_panel


def main() -> None:
    """Make what is missing of every dataset whose rows are there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.virtual", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--only", default="", help="names that match this pattern")
    options = parser.parse_args()
    set_up_process()
    model, panel = load_model(BASE), load_panel()
    names, before = trait_names(panel), ask(Subject(model), panel)
    for case in with_references():
        rows, file = options.work / "rows" / case.name, options.work / "virtual" / f"{case.name}.json"
        if not re.search(options.only, case.name) or not rows.is_dir() or file.exists():
            continue
        start = time.monotonic()
        with _student(model, rows, case) as student:
            after = ask(Subject(student), panel)
        shifts = {name: float(np.mean(b - a)) for name, a, b in zip(names, before, after, strict=True)}
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(shifts), encoding="utf-8")
        part.rename(file)
        sys.stderr.write(f"{case.name}: {time.monotonic() - start:.0f} s\n")


def _student(model: LocalModel, rows: Path, case: Case):
    encoded, sampling, _ = encoded_rows(model, rows, case)
    return virtual_student(model, encoded, sampling, read=len(encoded), seed=0, autocast=choose_precision().autocast)


if __name__ == "__main__":
    main()
