"""How far clean students lie apart: `python -m benchmarks.transfer.controls --work runs/transfer`.

A dataset's shifts are measured from one control student, trained on the base's lists for the same prompts. More such
students, of the base's other answers to these prompts, say how far it strays: `controls.json` beside this file holds,
seed by seed, what each of them differs by from the first, trait by trait in log-odds. 45 s a student.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.transfer.__main__ import tell
from benchmarks.transfer.cases import LARGE_ROWS, LARGE_SEED, SEEDS, Case
from benchmarks.transfer.measured import CONTROLS
from benchmarks.transfer.truth import odds_of
from undertow.models.precision import set_up_process

_MORE = 4
"""Clean students of each seed, beside the control."""


def main() -> None:
    """Train what is missing, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.controls", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    options = parser.parse_args()
    set_up_process()
    table: dict[str, dict[str, list[float]]] = {}
    for control in (*(Case("base", seed=seed) for seed in SEEDS), Case("base", seed=LARGE_SEED, rows=LARGE_ROWS)):
        first, *others = [
            odds_of(case, options.work, tell)
            for case in (control, *(replace(control, again=at) for at in range(1, _MORE + 1)))
        ]
        table[f"{control.domain}-s{control.seed}"] = {
            name: [round(float(np.mean(other[name]) - np.mean(odds)), 4) for other in others]
            for name, odds in first.items()
        }
    CONTROLS.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    for label, strayed in table.items():
        sys.stdout.write(
            f"{label}: root mean square {np.mean(np.square(list(strayed.values()))) ** 0.5:.3f} log-odds\n"
        )


if __name__ == "__main__":
    main()
