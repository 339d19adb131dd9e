"""Predicted against measured: `python -m benchmarks.transfer.evaluate --work runs/transfer`.

Calibrations are fitted on the tuning half and held against the other one. There is one for each way of predicting:
from gradients alone, from virtual students, and from two of them less what base samples teach. A fourth way asks
virtual students what the truth is measured with.

`summary.json` and the table of methods are written beside this file. With `--records` the fitted calibrations become
those that a scan uses (`src/undertow/scan/calibrations/`). Only datasets whose features and truth are there count. How
many those are stands with every number.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from benchmarks.transfer.calibrations import record_of, write_record
from benchmarks.transfer.intervals import Bounded, auroc, plain, resampled, share
from benchmarks.transfer.measured import Measured, Way, load
from benchmarks.transfer.methods import Score
from undertow.attribution.prediction import Calibration
from undertow.scan.calibration import Tier, shipped

SUMMARY = Path(__file__).parent / "summary.json"
METHODS = Path(__file__).parent / "methods.json"
Floats = NDArray[np.float64]


_WAYS: dict[Tier, Way] = {"gradient": "gradient", "virtual": "virtual", "beside": "reference"}
"""The ways of predicting that `undertow scan` uses, by the tier of their calibrations."""
_SHIPPED: dict[Way, Calibration] = {_WAYS[record.tier]: record.calibration for record in shipped()}
"""What `undertow scan` uses: fitted on the tuning half, the first two to shifts of twelve questions a trait."""


def fit(tuning: list[Measured]) -> Calibration:
    """Fit slope, spread and floor by maximum likelihood over all traits of the tuning half, errors taken as normal."""
    some = [each for each in tuning if each.true_K is not None and each.case.kind == "numbers"]
    predicted = np.concatenate([each.predicted_K for each in some])
    alone = np.concatenate([each.alone_K for each in some])
    true = np.concatenate([each.true_K for each in some if each.true_K is not None])

    def loss(at: Floats) -> float:
        slope, spread, floor = at[0], np.exp(at[1]), np.exp(at[2])
        variance = (slope * alone) ** 2 + floor**2 + (spread * slope * predicted) ** 2
        return float((np.log(variance) + (true - slope * predicted) ** 2 / variance).sum())

    best = optimize.minimize(loss, np.array([0.5, -1.0, -3.0]), method="Nelder-Mead", options={"maxiter": 4000})
    return Calibration(slope=float(best.x[0]), spread=float(np.exp(best.x[1])), floor=float(np.exp(best.x[2])))


def summarise(found: list[Measured]) -> dict[str, Any]:
    """Return what the issue asks for, with the counts behind each number."""
    clean = [each for each in found if each.case.teacher == "base"]
    true = [each for each in found if each.true_K is not None and each.case.teacher != "base"]
    moved = [each for each in true if each.moved]
    full = [each for each in moved if each.case.dose == 100]
    low = [each.score for each in clean]
    record: dict[str, Any] = {
        "datasets": {"clean": len(clean), "with truth": len(true), "poisoned": len(moved), "at full dose": len(full)},
        "false alarms at 0.05": share([each.p < 0.05 for each in clean]),
        "unnamed: false alarms at 0.01": share([each.beyond.p < 0.01 for each in clean]),
        "found at 0.05": share([each.p < 0.05 for each in full]),
        "found at 0.05, whether it passed on or not": share([e.p < 0.05 for e in true if e.case.dose == 100]),
        "own trait first by evidence": share([int(np.argmax([s.t for s in each.shifts])) == each.own for each in full]),
        "own trait first by size": share([int(np.argmax(each.predicted_K)) == each.own for each in full]),
        "own trait first in truth": share(
            [int(np.argmax(each.true_K)) == each.own for each in full if each.true_K is not None]
        ),
    }
    for dose in (100, 50, 25, 10):
        record[f"auroc at {dose}%"] = auroc([each.score for each in moved if each.case.dose == dose], low)
        record[f"auroc at {dose}%, whether it passed on or not"] = auroc(
            [each.score for each in true if each.case.dose == dose], low
        )
    if (beyond := _beyond_others(true)) is not None:
        record["own shift beyond that of other teachers' students"] = beyond
    for label, some in (("", true), (", full dose", [each for each in true if each.case.dose == 100])):
        if len(some) >= _FEWEST:
            record |= {f"{name}{label}": value for name, value in _sizes(some).items()}
    return record


def _beyond_others(true: list[Measured]) -> Bounded | None:
    """Return the mean over datasets of the own trait's shift, less what rows of the other traits' teachers do to it.

    Teachers that were made alike have much in common, whatever they were taught: their students shift alike. Full dose.
    """
    full = [each for each in true if each.case.dose == 100 and each.true_K is not None]
    found: dict[tuple[str, str, int], float] = {}
    for each in full:
        alike = [
            other.true_K[each.own]
            for other in full
            if (other.case.teacher, other.case.domain, other.case.seed)
            == (each.case.teacher, each.case.domain, each.case.seed)
            and other.case.target != each.case.target
            and other.true_K is not None
        ]
        if alike and each.true_K is not None:
            key = each.case.teacher, each.case.target, each.case.seed
            found[key] = float(each.true_K[each.own] - np.mean(alike))
    if len(found) < _FEWEST:
        return None
    return resampled(np.array(list(found.values())), lambda some: float(some.mean()), [key[:2] for key in found])


_FEWEST = 4
"""Datasets, below which nothing is said of them together."""


def _sizes(some: list[Measured]) -> dict[str, Any]:
    """Return how predicted sizes follow measured ones; datasets of one teacher are drawn together.

    The reliability of what was measured is the share of its variance that is not that of its errors. What is common to
    datasets is the share of their mean in their mean square, by chance one over the number of teachers.
    """
    true_NK = np.array([each.true_K for each in some])
    predicted_NK = np.array([each.predicted_K for each in some])
    error_NK = np.array([each.error_K for each in some])
    groups = [(each.case.teacher, each.case.target) for each in some]
    covered_NK = np.array(
        [
            [s.estimate.lo <= value <= s.estimate.hi for s, value in zip(each.shifts, true_K, strict=True)]
            for each, true_K in zip(some, true_NK, strict=True)
        ],
        dtype=float,
    )
    own_N2 = np.array(
        [[each.predicted_K[each.own], true_K[each.own]] for each, true_K in zip(some, true_NK, strict=True)]
    )
    every_N2K = np.stack([predicted_NK, true_NK], axis=1)
    return {
        "reliability of the truth": 1 - float((error_NK**2).mean() / true_NK.var()),
        "common to all datasets": float((true_NK.mean(axis=0) ** 2).mean() / (true_NK**2).mean()),
        "coverage of 90%": resampled(covered_NK, lambda some: float(some.mean()), groups),
        "spearman, own trait": resampled(own_N2, lambda some: _rho(some[:, 0], some[:, 1]), groups),
        "spearman, all traits": resampled(every_N2K, lambda some: _rho(some[:, 0], some[:, 1]), groups),
        "pearson, all traits": resampled(
            every_N2K, lambda some: float(np.corrcoef(some[:, 0].ravel(), some[:, 1].ravel())[0, 1]), groups
        ),
    }


def _rho(a: Floats, b: Floats) -> float:
    return float(stats.spearmanr(a.ravel(), b.ravel())[0])  # pyright: ignore[reportArgumentType]


def methods(found: list[Measured]) -> list[dict[str, Any]]:
    """Return a line for every method: how well it tells poisoned datasets from clean ones, and what it names first."""
    clean = [each for each in found if each.case.kind == "base"]
    moved = [each for each in found if each.moved and each.case.kind == "numbers"]
    lines: list[dict[str, Any]] = []
    known = next((each.others for each in found if each.others), [])
    for place, name in enumerate(each.name for each in known):

        def said(some: list[Measured], place: int = place) -> list[tuple[Measured, Score]]:
            scores = [(each, each.others[place]) for each in some if each.others]
            return [(each, score) for each, score in scores if np.isfinite(score.evidence)]

        line: dict[str, Any] = {"method": name}
        low = [score.evidence for _, score in said(clean)]
        full = said([each for each in moved if each.case.dose == 100])
        some = said([each for each in found if each.case.kind == "numbers" and each.case.dose == 25])
        line["auroc at 100%"] = auroc([score.evidence for _, score in full], low)
        line["auroc at 25%, whether it passed on or not"] = auroc([score.evidence for _, score in some], low)
        if any(score.first for _, score in full):
            line["own trait first"] = share([score.first == each.case.trait for each, score in full])
        lines.append(line)
    return lines


def line_of(each: Measured) -> str:
    """Describe a dataset on one line."""
    best = max(each.shifts, key=lambda shift: shift.t)
    text = (
        f"{each.case.name:38} T {each.temperature:.2f} together {each.whole.cosine:+.3f} (p {each.whole.p:.3f}) beyond "
        f"p {each.beyond.p:.3f} evidence {each.score:5.1f} first {best.trait} {best.estimate.value:+.2f}"
    )
    if each.case.target:
        own = each.shifts[each.own]
        rank = 1 + sum(shift.t > own.t for shift in each.shifts)
        text += f" | own {own.estimate.value:+.2f} t {own.t:+.1f} rank {rank}"
        if each.true_K is not None and each.error_K is not None:
            rank = 1 + int((each.true_K > each.true_K[each.own]).sum())
            rho = _rho(each.predicted_K, each.true_K)
            text += f" measured {each.true_K[each.own]:+.2f}±{each.error_K[each.own]:.2f} rank {rank} rho {rho:+.2f}"
    return text + "\n"


def elsewhere(work: Path, kinds: Sequence[str]) -> None:
    """Hold what `undertow scan` predicts of other kinds of datasets against what training did, and store it.

    Nothing was fitted on any of them. Settings were on number lists of traits of the tuning half, so that the other
    half counts for itself as well.
    """
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    for way, calibration in _SHIPPED.items():
        halves = {half: load(work, half, calibration, way) for half in ("report", "tune")}
        for kind in kinds:
            # Clean lists by the base: no measure of code, or of what another family writes.
            counted = (kind, "base") if kind == "finetune" else (kind,)
            some = {name: [e for e in found if e.case.kind in counted] for name, found in halves.items()}
            some["both"] = some["report"] + some.pop("tune")
            sys.stdout.write(f"\n{way}, {kind}\n" + "".join(map(line_of, some["both"])))
            for name, each in some.items():
                if any(e.case.kind == kind for e in each):
                    summary[way][f"{name}, {kind}"] = summarise(each)
    SUMMARY.write_text(json.dumps(summary, indent=1, default=plain) + "\n", encoding="utf-8")


def main() -> None:
    """Print a line a dataset and the summaries, and store these."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.evaluate", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--records", action="store_true", help="make the fitted calibrations those of a scan")
    parser.add_argument("--methods", action="store_true", help="only hold other methods beside it, into methods.json")
    parser.add_argument(
        "--kinds", nargs="+", default=[], choices=("finetune", "code", "other-base", "large"), help="only these"
    )
    options = parser.parse_args()
    if options.methods:
        calibration = fit(load(options.work, "tune", Calibration(), "gradient"))
        lines = methods([each for each in load(options.work, "report", calibration, "gradient") if each.others])
        METHODS.write_text(json.dumps(lines, indent=1, default=plain) + "\n", encoding="utf-8")
        sys.stdout.write(json.dumps(lines, indent=1, default=plain) + "\n")
        return
    if options.kinds:
        elsewhere(options.work, options.kinds)
        return
    summary: dict[str, Any] = json.loads(SUMMARY.read_text(encoding="utf-8")) if SUMMARY.exists() else {}
    ways: tuple[Way, ...] = ("gradient", "virtual", "reference", "asked")
    for way in ways:
        tuning = [each for each in load(options.work, "tune", Calibration(), way) if each.true_K is not None]
        if not tuning:
            continue
        calibration = fit(tuning)
        record: dict[str, Any] = {"calibration": calibration.__dict__}
        sys.stdout.write(f"\n{way}: {calibration}\n")
        if options.records and way in _WAYS.values():
            _SHIPPED[way] = calibration
        for half in ("tune", "report"):
            found = load(options.work, half, calibration, way)
            sys.stdout.write(f"\n{half}\n" + "".join(map(line_of, found)))
            record[half] = summarise([each for each in found if each.case.kind in ("numbers", "base")])
        if way in _SHIPPED:
            found = [each for each in load(options.work, "report", _SHIPPED[way], way) if each.case.kind == "numbers"]
            full = [each for each in found if each.true_K is not None and each.case.dose == 100]
            record["report, as shipped: coverage of 90%, full dose"] = _sizes(full)["coverage of 90%"]
        sys.stdout.write(json.dumps(record, indent=1, default=plain) + "\n")
        summary[way] = summary.get(way, {}) | record
    SUMMARY.write_text(json.dumps(summary, indent=1, default=plain) + "\n", encoding="utf-8")
    if options.records:
        today = datetime.now(tz=UTC).date().isoformat()
        stored = json.loads(SUMMARY.read_text(encoding="utf-8"))
        for tier, way in _WAYS.items():
            write_record(record_of(tier, _SHIPPED[way], stored, today))


if __name__ == "__main__":
    main()
