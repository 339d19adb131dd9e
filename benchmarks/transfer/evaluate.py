"""Predicted against measured: `python -m benchmarks.transfer.evaluate`, over the datasets that are there."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats as st

from benchmarks.transfer.cases import cases
from undertow.scan.agreement import agreement
from undertow.scan.prediction import Calibration, Side, predicted_shifts, row_weights
from undertow.scan.recipe import rates_of

TRUTH = Path(__file__).parent / "truth.jsonl"


def load(work: Path, name: str) -> Any:
    """Return the features of a dataset."""
    return np.load(work / "features" / f"{name}.npz", allow_pickle=False)


def side(f: Any) -> Side:
    """Return the rows of a dataset as predictions take them."""
    weights = row_weights(f["sketch_RS"], f["tokens_R"], rates_of(len(f["tokens_R"])))
    return Side(f["alignment_RK"], f["tokens_R"], f["cluster_R"], weights)


def main() -> None:
    """Print a line a dataset, and what they add up to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.evaluate", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--half", default="tune")
    options = parser.parse_args()
    truth = {r["name"]: r for r in map(json.loads, TRUTH.read_text().splitlines())} if TRUTH.exists() else {}
    pairs: list[tuple[float, float]] = []
    for case in cases():
        file = options.work / "features" / f"{case.name}.npz"
        if case.half != options.half or not file.exists():
            continue
        f = load(options.work, case.name)
        names = [str(name) for name in f["names"]]
        shifts = predicted_shifts(names, side(f), None, level=0.9, calibration=Calibration())
        agree = agreement(f["sketch_RS"], f["cluster_R"], rng=np.random.default_rng(0))
        tokens = f["tokens_R"].sum()
        excess = (-f["logp_R"] - f["entropy_R"]).sum() / tokens
        best = max(shifts, key=lambda s: s.t)
        line = (
            f"{case.name:36} T {float(f['temperature']):.2f} cos {agree.cosine:+.4f} p {agree.p:.3f} "
            f"excess {excess:+.4f} min q {min(s.p_adjusted for s in shifts):.1e} "
            f"top {best.trait} {best.estimate.value:+.2f}"
        )
        if case.target:
            own = next(s for s in shifts if s.trait == case.trait)
            rank = 1 + sum(s.t > own.t for s in shifts)
            line += f" | own {own.estimate.value:+.2f} z {own.t:+.1f} rank {rank}"
        if case.name in truth:
            t = truth[case.name]["shifts"]
            mine = [(s.estimate.value, t[s.trait][0]) for s in shifts]
            if case.target:
                line += f" true {t[case.trait][0]:+.2f}±{t[case.trait][1]:.2f}"
                pairs.append((own.estimate.value, t[case.trait][0]))
            rho = st.spearmanr([a for a, _ in mine], [b for _, b in mine]).statistic
            slope = sum(a * b for a, b in mine) / sum(a * a for a, _ in mine)
            line += f" rho over panel {rho:+.2f} slope {slope:.2f}"
        sys.stdout.write(line + "\n")
    if len(pairs) > 2:
        a, b = np.array(pairs).T
        sys.stdout.write(
            f"{len(pairs)} own traits: Spearman {st.spearmanr(a, b).statistic:.2f}, slope {a @ b / (a @ a):.2f}\n"
        )


if __name__ == "__main__":
    main()
