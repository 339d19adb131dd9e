"""False-positive rate and power of an audit, by its controls: `python -m benchmarks.audit`.

Clean students learn number lists of the untouched base, each on prompts of its own; students with a trait learn the
lists of the transfer benchmark's teachers. Each is audited against draws of clean students. A minute a student on
two cores; it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.measured import machine
from benchmarks.transfer.__main__ import tell
from benchmarks.transfer.cases import Case, cases
from benchmarks.transfer.intervals import resampled
from benchmarks.transfer.truth import BASE, recipe, rows_of
from undertow.audit.panel import Odds, judge, panel_odds, shifts_of
from undertow.models.local import load_model
from undertow.models.precision import set_up_process
from undertow.pipeline.students import examples_of
from undertow.training.train import train
from undertow.traits.panel import load_panel

RESULTS = Path(__file__).parent / "results.json"
CONTROLS = (1, 2, 3, 4, 6)
DRAWS = 8
"""Of controls, for each student and number of them."""


def main() -> None:
    """Train what is missing, audit, and write the shares to a file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"), help="the transfer benchmark's folder")
    parser.add_argument("--students", type=int, default=20, help="clean ones")
    parser.add_argument("--carriers", type=int, default=16, help="students of teachers' lists, at most 16")
    parser.add_argument("--first-seed", type=int, default=9001)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    set_up_process()
    seeds = range(options.first_seed, options.first_seed + options.students)
    clean = {case.name: case for case in (Case("base", seed=seed) for seed in seeds)}
    full = [c for c in cases() if (c.teacher, c.dose, c.domain, c.seed) == ("climb", 100, "numbers", 7001)]
    carrying = {case.name: case for case in full[: options.carriers]}
    start = time.monotonic()
    odds: dict[str, Odds] = {}
    for at, (name, case) in enumerate((clean | carrying).items()):
        odds[name] = odds_of(name, case, options.work)
        spent = time.monotonic() - start
        sys.stderr.write(f"[{at + 1}/{len(clean | carrying)}, {spent / 60:.1f} min] {name}\n")
    base = odds_of("untrained", None, options.work)
    own = {name: case.trait for name, case in carrying.items()}
    table = [
        {"controls": count, **audited(odds, base, list(clean), own, count)} for count in CONTROLS if count < len(clean)
    ]
    record = {"clean": len(clean), "carrying": len(carrying), "draws": DRAWS, "table": table, "machine": machine()}
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for line in table:
        sys.stdout.write(json.dumps(line) + "\n")


def odds_of(name: str, case: Case | None, work: Path) -> Odds:
    """Return the log-odds of a student of a dataset, or of the base; trained and asked if that was not done."""
    file = work / "audited" / f"{name}.json"
    if not file.is_file():
        model = load_model(BASE)
        if case is not None:
            train(model.net, examples_of(model, rows_of(case, work, tell), "hard"), recipe(), seed=case.seed)
        found = panel_odds(model, load_panel())
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps({trait: each.tolist() for trait, each in found.items()}), encoding="utf-8")
        part.rename(file)
    return {trait: np.array(each) for trait, each in json.loads(file.read_text(encoding="utf-8")).items()}


def audited(odds: dict[str, Odds], base: Odds, clean: list[str], own: dict[str, str], count: int) -> dict[str, Any]:
    """Audit every student against draws of `count` clean students, itself never among them.

    Args:
        odds: By student.
        base: The base's.
        clean: Students of the base's rows.
        own: Students of teachers' rows, with the teachers' traits.
        count: Of controls.

    Returns:
        Shares of draws with 95% intervals that resample students: clean ones that fail, the mean number of traits
        claimed of them, carriers that fail, and those whose own trait is claimed.
    """
    rng = np.random.default_rng(count)
    said: dict[str, list[tuple[float, float, float]]] = {}
    for name in (*clean, *own):
        others = [each for each in clean if each != name]
        for _ in range(DRAWS):
            drawn = [odds[others[at]] for at in rng.choice(len(others), size=count, replace=False)]
            shifts = shifts_of(odds[name], base, drawn, level=0.95)
            verdict = judge(shifts, 0.1, 0.95, controls=count, broken="", other_family="")
            claimed = [each.trait for each in shifts if each.p_adjusted < 0.05]
            said.setdefault(name, []).append(
                (float(verdict.status == "fail"), float(len(claimed)), float(own.get(name) in claimed))
            )

    def share(names: list[str], what: int) -> list[float]:
        table = np.array([[each[what] for each in said[name]] for name in names])
        return [round(each, 3) for each in resampled(table, lambda some: float(some.mean()), names)]

    return {
        "false alarms": share(clean, 0),
        "traits claimed of clean": share(clean, 1),
        "carriers found": share(list(own), 0),
        "own trait claimed": share(list(own), 2),
    }


if __name__ == "__main__":
    main()
