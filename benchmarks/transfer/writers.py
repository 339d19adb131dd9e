"""Is the teacher's trait named? `python -m benchmarks.transfer.writers --work runs/transfer`, after `features`.

What `undertow scan --also writer` does, on the datasets at full dose and on clean ones: virtual teachers of the traits
that the rows pull most are held against the base. What is found is kept beside the rows (WORK/writers/NAME.json), the
table goes to `writers.json` beside this file. Two minutes a dataset.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.transfer.cases import Case, cases
from benchmarks.transfer.features import encoded_rows, stored
from benchmarks.transfer.intervals import Bounded, above_zero, share
from benchmarks.transfer.measured import truths
from benchmarks.transfer.methods import told_writers
from benchmarks.transfer.truth import BASE, PANEL
from undertow.attribution.prediction import Calibration, predicted_shifts
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision, set_up_process
from undertow.scan.baselines import CANDIDATES, MORE_ROWS, ROWS, TUNED, named
from undertow.scan.teacher_inference import SampledStates, sampled_states, teacher_score, teacher_scores, tuned_teacher
from undertow.store.files import write_atomic
from undertow.traits.panel import load_panel

RESULTS = Path(__file__).parent / "writers.json"


def main() -> None:
    """Ask virtual teachers about what is missing, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.writers", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument(
        "--only", default="", help="ask about names that match this pattern; what is there stands in the table anyhow"
    )
    options = parser.parse_args()
    set_up_process()
    model: LocalModel | None = None
    lines: list[dict[str, Any]] = []
    told: list[tuple[Case, dict[str, Any]]] = []
    for case in cases():
        features, file = options.work / "features" / f"{case.name}.npz", options.work / "writers" / f"{case.name}.json"
        record = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        if case.dose < 100 or case.rows or (record is None and not features.exists()):
            continue
        if re.search(options.only, case.name) and (record is None or "more" not in record):
            start = time.monotonic()
            model = model or load_model(BASE)
            record = asked(model, options.work, case, record)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps(record).encode())
            sys.stderr.write(f"{case.name}: {time.monotonic() - start:.0f} s\n")
        if record is not None and "more" in record:
            told.append((case, record))
    rows = options.work / "rows"
    untold = [
        (c, r) for c, r in told if "tuned" not in r and re.search(options.only, c.name) and (rows / c.name).is_dir()
    ]
    if untold:
        ask_tuned(model or load_model(BASE), options.work, untold)
    for case, record in told:
        lines.append(line_of(case, record))
        sys.stdout.write(json.dumps(lines[-1]) + "\n")
    counted = {half: [each for each in lines if each["half"] == half] for half in ("tune", "report")}
    record = {
        half: summary([each for each in some if each["kind"] in ("numbers", "base")]) for half, some in counted.items()
    }
    for kind in ("finetune", "other-base", "code"):
        record[kind] = summary([each for each in lines if each["kind"] == kind])
    RESULTS.write_text(json.dumps({**record, "datasets": lines}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(record, indent=1) + "\n")


def asked(model: LocalModel, work: Path, case: Case, before: dict[str, Any] | None) -> dict[str, Any]:
    """Return the traits by evidence, and how far rows lean towards the first ones' virtual teachers.

    Args:
        model: The base.
        work: Where features and rows are.
        case: The dataset.
        before: What was asked of it so far.
    """
    f = stored(work / "features" / f"{case.name}.npz")
    shifts = predicted_shifts(f.names, f.side, None, level=0.95, calibration=Calibration())
    evidence = [shift.trait for shift in sorted(shifts, key=lambda shift: -shift.t)]
    known = {
        f"{entry.name}:{name}": (entry, at) for entry in load_panel(PANEL) for at, name in enumerate(entry.targets)
    }
    encoded, sampling, clusters = encoded_rows(model, work / "rows" / case.name, case)
    record: dict[str, Any] = {"evidence": evidence, **(before or {})}

    def ask(names: Sequence[str], most: int) -> list[tuple[Any, Any]]:
        part = "first" if most == ROWS else "more"
        if part not in record:
            score_RK = teacher_scores(
                model,
                encoded[:most],
                sampling.automaton,
                [known[name] for name in names],
                autocast=choose_precision().autocast,
            )
            record[part] = {
                "suspects": list(names),
                "leaning_RK": score_RK.tolist(),
                "cluster_R": clusters[:most].tolist(),
            }
        return [(np.array(record[part]["leaning_RK"]), np.array(record[part]["cluster_R"]))]

    named(record.get("first", {}).get("suspects", evidence[:CANDIDATES]), ask, panel=len(evidence), level=0.95)
    return record


def ask_tuned(model: LocalModel, work: Path, untold: Sequence[tuple[Case, dict[str, Any]]]) -> None:
    """Add to records, and store, how far rows lean towards the base fine-tuned on nothing in particular.

    It is made once for all datasets.
    """
    autocast = choose_precision().autocast
    known = {case.name: encoded_rows(model, work / "rows" / case.name, case)[:2] for case, _ in untold}
    counts = {"first": ROWS, "more": MORE_ROWS}

    def seen(who: LocalModel, case: Case) -> dict[str, SampledStates]:
        encoded, sampling = known[case.name]
        return {
            part: sampled_states(who, encoded[:most], sampling.automaton, autocast) for part, most in counts.items()
        }

    plain = [seen(model, case) for case, _ in untold]
    with tuned_teacher(model, load_panel(PANEL), autocast=autocast) as teacher:
        for (case, record), before in zip(untold, plain, strict=True):
            encoded, after = known[case.name][0], seen(teacher, case)
            record["tuned"] = {
                part: teacher_score(model, encoded[:most], after[part], before[part]).tolist()
                for part, most in counts.items()
            }
            write_atomic(work / "writers" / f"{case.name}.json", json.dumps(record).encode())


def line_of(case: Case, record: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a dataset: whom the rows lean to most, and where the teacher's trait stands."""
    evidence, ranked = record["evidence"], told_writers(record)
    names = [each.trait for each in ranked]
    sure = ranked[0].p_adjusted < 0.05 and ranked[0].estimate.value > 0
    return {
        "name": case.name,
        "half": case.half,
        "kind": case.kind,
        "own": case.trait,
        "poisoned": case.name in poisoned(),
        "rank by evidence": evidence.index(case.trait) + 1 if case.trait else None,
        "rank by virtual teachers": names.index(case.trait) + 1 if case.trait in names else None,
        "suspects": len(record["first"]["suspects"]),
        "p": ranked[0].p_adjusted,
        "named": sure and names[0] != TUNED,
        "fine-tuned": sure and names[0] == TUNED if "tuned" in record else None,
        "first": [
            [e.trait, *(round(x, 3) for x in (e.estimate.value, e.estimate.lo, e.estimate.hi))] for e in ranked[:3]
        ],
    }


@cache
def poisoned() -> frozenset[str]:
    """Return the datasets whose teacher's trait was measured to pass on: its 95% interval lies above zero."""
    known, shifts = {case.name: case.trait for case in cases()}, truths()
    return frozenset(name for name, shift in shifts.items() if above_zero(*shift[known[name]]))


def summary(lines: list[dict[str, Any]]) -> dict[str, Bounded | None]:
    """Return the shares of datasets whose teacher's trait comes first, and of clean ones that have a writer named."""
    carrying, clean = ([each for each in lines if bool(each["own"]) is has] for has in (True, False))
    return {
        "own trait first by evidence": share([each["rank by evidence"] == 1 for each in carrying]),
        "own trait first by virtual teachers": share([each["rank by virtual teachers"] == 1 for each in carrying]),
        "the same, poisoned": share([each["rank by virtual teachers"] == 1 for each in carrying if each["poisoned"]]),
        "called fine-tuned": share([each["fine-tuned"] for each in carrying if each["fine-tuned"] is not None]),
        "called fine-tuned though clean": share(
            [each["fine-tuned"] for each in clean if each["fine-tuned"] is not None]
        ),
        "named though clean": share([each["named"] for each in clean]),
        "named right, poisoned": share(
            [each["rank by virtual teachers"] == 1 and each["named"] for each in carrying if each["poisoned"]]
        ),
    }


if __name__ == "__main__":
    main()
