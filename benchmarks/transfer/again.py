"""What can be predicted at all? `python -m benchmarks.transfer.again --work runs/transfer`, after `virtual --asked`.

A second student is trained on the same rows in another order, beside a control in that order, and asked the questions
of a scan as well as those of `truth`. How well it predicts the first one's shifts is a yardstick for a scan (no bound:
it has the noise of its own order, and of one control).
By default five datasets of the tuning half; what is asked is kept in WORK/again/NAME.json. Half a minute a student.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.transfer.__main__ import tell
from benchmarks.transfer.cases import Case, cases
from benchmarks.transfer.measured import truths
from benchmarks.transfer.truth import BASE, PANEL, recipe, rows_of
from benchmarks.transfer.virtual import ASKED, VIRTUAL, odds
from undertow.models.local import load_model
from undertow.models.precision import set_up_process
from undertow.pipeline.students import examples_of
from undertow.store.files import write_atomic
from undertow.training.train import train
from undertow.traits.panel import load_panel

_SEED = 1
"""Of the other order."""
_FIVE = "^numbers-climb-(owl|oak|purple|curtness|french)-100-s7002$"


def main() -> None:
    """Train what is missing, and print rank correlations with the truth over all datasets and traits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.again", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--only", default=_FIVE, help="names that match this pattern")
    options = parser.parse_args()
    set_up_process()
    truth = truths()
    pairs: dict[str, list[tuple[float, float]]] = {}
    for case in cases():
        if not re.search(options.only, case.name) or case.name not in truth:
            continue
        own, control = (_asked(each, options.work) for each in (case, case.control))
        said = {f"a second student, {way}": {n: own[way][n] - control[way][n] for n in own[way]} for way in own}
        for way in (VIRTUAL, ASKED):
            file = options.work / way / f"{case.name}.json"
            if file.exists():
                said[f"virtual student, {way}"] = json.loads(file.read_text(encoding="utf-8"))
        for who, shifts in said.items():
            pairs.setdefault(who, []).extend((value, truth[case.name][name][0]) for name, value in shifts.items())
    for who, some in pairs.items():
        one, two = np.array(some).T
        rho, r = stats.spearmanr(one, two).statistic, np.corrcoef(one, two)[0, 1]
        sys.stdout.write(f"{who:36} Spearman {rho:.2f}, Pearson {r:.2f} ({len(some)} shifts)\n")


def _asked(case: Case, work: Path) -> dict[str, dict[str, float]]:
    """Return a student's mean log-odds of every trait on a scan's questions and on those of `truth`."""
    file = work / "again" / f"{case.name}.json"
    if not file.is_file():
        tell(f"{case.name}: training again")
        rows, model = rows_of(case, work, tell), load_model(BASE)
        train(model.net, examples_of(model, rows, "hard"), recipe(), seed=_SEED)
        found = odds(model, load_panel(PANEL), (VIRTUAL, ASKED))
        record = {way: {name: float(odds_Q.mean()) for name, odds_Q in each.items()} for way, each in found.items()}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(record).encode())
    return json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
