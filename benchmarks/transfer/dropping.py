"""Does it help to leave out what a scan points at? `python -m benchmarks.transfer.dropping --work runs/transfer`.

A fifth of the rows of every poisoned dataset of the reporting half is left out. Either they carry most of the strongest
shift, as `undertow scan --drop-top 20` chooses them, or they are drawn at random. Students are trained on the rest of
each, in the same order, and asked the questions that `truth` measures with. Finished ones stand in `dropping.jsonl`; a
summary is printed: how much lower the shift is than after dropping at random, over datasets, with a t interval.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.transfer.measured import Measured, load
from benchmarks.transfer.truth import BASE, panel_odds, recipe
from undertow.attribution.row_scores import worst
from undertow.models.local import load_model
from undertow.models.precision import set_up_process
from undertow.pipeline.students import examples_of
from undertow.scan.calibration import shipped
from undertow.stats import mean_estimate
from undertow.training.train import Example, train

DONE = Path(__file__).parent / "dropping.jsonl"
SHARE = 0.2
WAYS = ("most", "random")


def main() -> None:
    """Train what is missing, then print the summary."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.dropping", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no dataset after so long")
    options = parser.parse_args()
    done = {json.loads(line)["name"] for line in DONE.read_text().splitlines()} if DONE.exists() else set[str]()
    start = time.monotonic()
    gradient = next(record.calibration for record in shipped() if record.tier == "gradient")
    for each in load(options.work, "report", gradient, "gradient"):
        late = (time.monotonic() - start) / 60 > options.minutes
        if late or each.case.name in done or not each.moved or each.case.dose < 100 or each.case.domain != "numbers":
            continue
        record = drop(options.work, each)
        with DONE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        sys.stderr.write(f"{record}\n")
    summarise()


def drop(work: Path, each: Measured) -> dict[str, Any]:
    """Train the two students of a dataset; returns the shifts of the strongest trait and of the teacher's own."""
    set_up_process()
    ranked = sorted(each.shifts, key=lambda shift: (shift.p, -abs(shift.estimate.value)))
    strongest = ranked[0]
    names = [shift.trait for shift in each.shifts]
    sign = -1.0 if strongest.estimate.value < 0 else 1.0
    features = np.load(work / "features" / f"{each.case.name}.npz", allow_pickle=False)
    carried_R = sign * features["alignment_RK"][:, names.index(strongest.trait)]
    at_random = np.random.default_rng([each.case.seed, len(carried_R)]).permutation(len(carried_R))
    left_out = {"most": worst(carried_R, SHARE), "random": set(at_random[: round(SHARE * len(carried_R))].tolist())}
    record: dict[str, Any] = {
        "name": each.case.name,
        "strongest": strongest.trait,
        "sign": sign,
        "own": each.case.trait,
    }
    control = json.loads((work / "odds" / f"{each.case.control.name}.json").read_text(encoding="utf-8"))
    for way in WAYS:
        model = load_model(BASE)
        examples = list[Example](examples_of(model, work / "rows" / each.case.name, "hard"))
        kept = [example for at, example in enumerate(examples) if at not in left_out[way]]
        train(model.net, kept, recipe(), seed=each.case.control.seed)
        odds = panel_odds(model)
        for trait in (strongest.trait, each.case.trait):
            shift = float(np.mean(np.array(odds[trait]) - np.array(control[trait])))
            record[f"{way} {'own' if trait == each.case.trait else 'strongest'}"] = round(shift, 4)
            if strongest.trait == each.case.trait:
                record[f"{way} strongest"] = round(shift, 4)
    assert each.true_K is not None
    record["whole own"] = float(each.true_K[each.own])
    record["whole strongest"] = float(each.true_K[names.index(strongest.trait)])
    return record


def summarise() -> None:
    """Print how much lower shifts are without the rows that a scan points at than without as many others."""
    records = [json.loads(line) for line in DONE.read_text().splitlines()] if DONE.exists() else []
    for which in ("strongest", "own"):
        gain = [
            (each["sign"] if which == "strongest" else 1.0) * (each[f"random {which}"] - each[f"most {which}"])
            for each in records
        ]
        if len(gain) > 2:
            sys.stdout.write(f"{which}: {mean_estimate(np.array(gain)[:, None])}\n")


if __name__ == "__main__":
    main()
