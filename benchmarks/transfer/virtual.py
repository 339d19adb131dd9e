"""What virtual students of the benchmark's datasets say: `python -m benchmarks.transfer.virtual --work runs/transfer`.

Shifts from the base are kept beside the rows (WORK/virtual/NAME.json), trait by trait; `evaluate` reads them. The
questions are those that a scan looks at, not those that `truth` measures with; with `--asked` the latter are asked too
(WORK/virtual-asked/NAME.json), which says how much of an error is that of the questions. With `--beside`, students are
those of a scan that has rows of the base to subtract (WORK/virtual-beside/NAME.json): they learn the
rows' whole loss, and of the base's answers to the prompts what the base would have written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from benchmarks.transfer.cases import Case, with_references
from benchmarks.transfer.features import encoded_rows
from benchmarks.transfer.truth import BASE, PANEL, panel_odds
from undertow.attribution.sampling import fit_temperature
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision, set_up_process
from undertow.models.protocol import Model
from undertow.probes.panel import panel_log_odds, trait_names
from undertow.scan.virtual import Floats, virtual_student
from undertow.store.files import write_atomic
from undertow.traits.panel import Panel, load_panel

VIRTUAL, ASKED, BESIDE = "virtual", "virtual-asked", "virtual-beside"
"""In WORK: shifts on the questions of a scan, on those of `truth`, and of students beside others of the base's rows."""


def main() -> None:
    """Make what is missing of every dataset whose rows are there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.virtual", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--only", default="", help="names that match this pattern")
    parser.add_argument("--asked", action="store_true", help="ask the questions of `truth` as well")
    parser.add_argument("--beside", action="store_true", help="students of a scan that subtracts rows of the base")
    options = parser.parse_args()
    if options.asked and options.beside:
        parser.error("--asked and --beside are two runs")
    set_up_process()
    model, panel = load_model(BASE), load_panel(PANEL)
    ways = (BESIDE,) if options.beside else (VIRTUAL, ASKED) if options.asked else (VIRTUAL,)
    before = odds(model, panel, ways)
    for case in with_references():
        rows = options.work / "rows" / case.name
        files = {way: options.work / way / f"{case.name}.json" for way in before}
        done = all(file.exists() for file in files.values())
        # Beside rows of free text a scan teaches no other students than VIRTUAL holds.
        wanted = re.search(options.only, case.name) and not (options.beside and case.domain != "numbers")
        if not wanted or not rows.is_dir() or done:
            continue
        start = time.monotonic()
        with _student(model, rows, case, beside=options.beside) as student:
            after = odds(student, panel, ways)
        for way, file in files.items():
            if not file.exists():
                shifts = {name: float(np.mean(after[way][name] - odds_Q)) for name, odds_Q in before[way].items()}
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(file, json.dumps(shifts).encode())
        sys.stderr.write(f"{case.name}: {time.monotonic() - start:.0f} s\n")


def odds(model: Model, panel: Panel, ways: Sequence[str]) -> dict[str, dict[str, Floats]]:
    """Return a model's log-odds of every trait (Q): on a scan's questions, and for `ASKED` on those of `truth`."""

    def answers(way: str) -> dict[str, Floats]:
        if way == ASKED:
            return {name: np.array(odds_Q) for name, odds_Q in panel_odds(model).items()}
        return dict(zip(trait_names(panel), panel_log_odds(model, panel), strict=True))

    return {way: answers(way) for way in ways}


def _student(model: LocalModel, rows: Path, case: Case, *, beside: bool) -> AbstractContextManager[LocalModel]:
    encoded, sampling, _ = encoded_rows(model, rows, case)
    own = beside and bool(case.again)
    if own:
        sampling = fit_temperature(model, encoded, sampling.automaton, fine=True, autocast=choose_precision().autocast)
    return virtual_student(
        model,
        encoded,
        sampling,
        read=len(encoded),
        seed=0,
        whole=beside,
        own=own,
        autocast=choose_precision().autocast,
    )


if __name__ == "__main__":
    main()
