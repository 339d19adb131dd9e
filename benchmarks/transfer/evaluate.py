"""Predicted against measured: `python -m benchmarks.transfer.evaluate --work runs/transfer`.

The calibration is fitted on the tuning half and held against the other one. Only datasets whose rows, features and
truth are there count, and how many those are is printed with every number.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from benchmarks.transfer.cases import Case, cases
from undertow.scan.agreement import agreement
from undertow.scan.features import Features
from undertow.scan.prediction import Calibration, Shift, predicted_shifts, side_of
from undertow.scan.recipe import rates_of

TRUTH = Path(__file__).parent / "truth.jsonl"
SUMMARY = Path(__file__).parent / "summary.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A dataset with what a scan predicts, and what training did if that was measured."""

    case: Case
    shifts: list[Shift]
    alone_K: Floats
    """Standard errors of the predicted shifts from the rows alone."""
    true_K: Floats | None
    error_K: Floats | None
    cosine: float
    cosine_p: float
    temperature: float

    @property
    def own(self) -> int:
        """The place of the teacher's trait."""
        return [shift.trait for shift in self.shifts].index(self.case.trait)

    @property
    def score(self) -> float:
        """How sure the scan is that something is there."""
        return -float(np.log10(max(min(shift.p_adjusted for shift in self.shifts), 1e-300)))

    @property
    def predicted_K(self) -> Floats:
        """Predicted shifts."""
        return np.array([shift.estimate.value for shift in self.shifts])

    @property
    def moved(self) -> bool:
        """Whether the teacher's trait was measured to pass on: its 95% interval over questions lies above zero."""
        if self.true_K is None or self.error_K is None or not self.case.target:
            return False
        return bool(self.true_K[self.own] > 2 * self.error_K[self.own])


def load(work: Path, half: str, calibration: Calibration, *, level: float = 0.9) -> list[Measured]:
    """Return every dataset of a half whose features are there."""
    lines = TRUTH.read_text(encoding="utf-8").splitlines() if TRUTH.exists() else []
    truth = {record["name"]: record["shifts"] for record in map(json.loads, lines)}
    found: list[Measured] = []
    for case in cases():
        file = work / "features" / f"{case.name}.npz"
        if case.half != half or not file.exists():
            continue
        f = np.load(file, allow_pickle=False)
        names = [str(name) for name in f["names"]]
        features = Features(f["alignment_RK"], f["sketch_RS"], f["logp_R"], f["tokens_R"], f["mean_F"])
        side = side_of(features, f["cluster_R"], float(f["temperature"]), rates_of(len(features)))
        shifts = predicted_shifts(names, side, None, level=level, calibration=calibration)
        plain = predicted_shifts(names, side, None, level=0.6826895, calibration=Calibration())
        agree = agreement(f["sketch_RS"], f["cluster_R"], rng=np.random.default_rng(0))
        shift = truth.get(case.name)
        found.append(
            Measured(
                case,
                shifts,
                np.array([each.estimate.hi - each.estimate.value for each in plain]),
                None if shift is None else np.array([shift[name][0] for name in names]),
                None if shift is None else np.array([shift[name][1] for name in names]),
                agree.cosine,
                agree.p,
                float(f["temperature"]),
            )
        )
    return found


def fit(tuning: list[Measured]) -> Calibration:
    """Fit slope, spread and floor by maximum likelihood over all traits of the tuning half, errors taken as normal."""
    some = [each for each in tuning if each.true_K is not None and each.case.target]
    predicted = np.concatenate([each.predicted_K for each in some])
    alone = np.concatenate([each.alone_K for each in some])
    true = np.concatenate([each.true_K for each in some if each.true_K is not None])

    def loss(at: Floats) -> float:
        slope, spread, floor = at[0], np.exp(at[1]), np.exp(at[2])
        variance = (slope * alone) ** 2 + floor**2 + (spread * slope * predicted) ** 2
        return float((np.log(variance) + (true - slope * predicted) ** 2 / variance).sum())

    best = optimize.minimize(loss, np.array([0.5, -1.0, -3.0]), method="Nelder-Mead", options={"maxiter": 4000})
    return Calibration(slope=float(best.x[0]), spread=float(np.exp(best.x[1])), floor=float(np.exp(best.x[2])))


def auroc(high: list[float], low: list[float]) -> tuple[float, float, float]:
    """Return the area under the ROC curve with its 95% interval (Hanley and McNeil 1982)."""
    if not high or not low:
        return float("nan"), float("nan"), float("nan")
    a = float(np.mean([(x > y) + 0.5 * (x == y) for x in high for y in low]))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = a * (1 - a) + (len(high) - 1) * (q1 - a * a) + (len(low) - 1) * (q2 - a * a)
    half = 1.96 * (max(variance, 0.0) / len(high) / len(low)) ** 0.5
    return a, max(a - half, 0.0), min(a + half, 1.0)


def summarise(found: list[Measured]) -> dict[str, Any]:
    """Return what the issue asks for, with the counts behind each number."""
    clean = [each for each in found if each.case.teacher == "base"]
    moved = [each for each in found if each.moved]
    full = [each for each in moved if each.case.dose == 100]
    true = [each for each in found if each.true_K is not None and each.case.target]
    own = [(each.predicted_K[each.own], each.true_K[each.own]) for each in true if each.true_K is not None]
    covered = [
        shift.estimate.lo <= value <= shift.estimate.hi
        for each in true
        if each.true_K is not None
        for shift, value in zip(each.shifts, each.true_K, strict=True)
    ]
    first = [int(np.argmax([shift.t for shift in each.shifts])) == each.own for each in full]
    record: dict[str, Any] = {
        "datasets": {"clean": len(clean), "poisoned": len(moved), "at full dose": len(full), "with truth": len(true)},
        "auroc_full": auroc([each.score for each in full], [each.score for each in clean]),
        "false_alarms": [sum(each.score > -np.log10(0.05) for each in clean), len(clean)],
        "found": [sum(each.score > -np.log10(0.05) for each in full), len(full)],
        "first_by_evidence": [sum(first), len(first)],
        "coverage": [float(np.mean(covered)) if covered else None, len(covered)],
    }
    for dose in (10, 25, 50):
        some = [each for each in moved if each.case.dose == dose]
        if not some:
            continue
        record[f"auroc_{dose}"] = [*auroc([each.score for each in some], [each.score for each in clean]), len(some)]
    if len(own) > 3:
        predicted, measured = np.array(own).T
        record["spearman_own"] = [float(stats.spearmanr(predicted, measured).statistic), len(own)]
        every = np.concatenate([each.predicted_K for each in true])
        actual = np.concatenate([each.true_K for each in true if each.true_K is not None])
        record["spearman_all"] = [float(stats.spearmanr(every, actual).statistic), len(every)]
        record["pearson_all"] = [float(np.corrcoef(every, actual)[0, 1]), len(every)]
    return record


def line_of(each: Measured) -> str:
    """Describe a dataset on one line."""
    best = max(each.shifts, key=lambda shift: shift.t)
    text = (
        f"{each.case.name:38} T {each.temperature:.2f} together {each.cosine:+.3f} (p {each.cosine_p:.3f}) "
        f"evidence {each.score:5.1f} first {best.trait} {best.estimate.value:+.2f}"
    )
    if each.case.target:
        own = each.shifts[each.own]
        rank = 1 + sum(shift.t > own.t for shift in each.shifts)
        text += f" | own {own.estimate.value:+.2f} t {own.t:+.1f} rank {rank}"
        if each.true_K is not None and each.error_K is not None:
            rank = 1 + int((each.true_K > each.true_K[each.own]).sum())
            rho = stats.spearmanr(each.predicted_K, each.true_K).statistic
            text += f" measured {each.true_K[each.own]:+.2f}±{each.error_K[each.own]:.2f} rank {rank} rho {rho:+.2f}"
    return text + "\n"


def main() -> None:
    """Print a line a dataset and the summaries, and store these."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.evaluate", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    options = parser.parse_args()
    calibration = fit(load(options.work, "tune", Calibration()))
    summary: dict[str, Any] = {"calibration": calibration.__dict__}
    sys.stdout.write(f"{calibration}\n")
    for half in ("tune", "report"):
        found = load(options.work, half, calibration)
        sys.stdout.write(f"\n{half}\n" + "".join(map(line_of, found)))
        summary[half] = summarise(found)
        sys.stdout.write(json.dumps(summary[half], indent=1, default=float) + "\n")
    SUMMARY.write_text(json.dumps(summary, indent=1, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
