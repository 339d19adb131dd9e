"""How sure each method is that a dataset carries something, and what: `scores_of`. Reads what was computed before.

Every method but the scan is given the base's rows for the same prompts, which is more than a user often has. A trait's
evidence is a paired t statistic over prompts; a method's evidence is that of the trait that it is surest of.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer.cases import Case
from undertow.scan.comparisons import compare

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What a method says of a dataset."""

    name: str
    evidence: float
    first: str = ""
    """The trait that it is surest of; empty where it names none."""


def scores_of(work: Path, case: Case) -> list[Score]:
    """Return what every method of `baselines` says of a dataset; nothing where they were not run."""
    file, control = (work / "baselines" / f"{name}.npz" for name in (case.name, case.reference.name))
    if not file.exists() or not control.exists():
        return []
    own, base = np.load(file, allow_pickle=False), np.load(control, allow_pickle=False)
    names = [str(name) for name in own["names"]]

    def t_of(what: str, rows: str | None, traits: list[str] = names) -> Floats:
        sides: list[tuple[Floats, NDArray[np.int64]]] = []
        for side in (own, base):
            value_RK = side[what] if side[what].ndim == 2 else side[what][:, None]
            cluster_R = side["cluster_R"] if rows is None else side["cluster_R"][side[rows]]
            sides.append((value_RK, cluster_R[: len(value_RK)]))
        # Prompts that both have, so that they are paired.
        shared_C = np.intersect1d(sides[0][1], sides[1][1])
        kept = [
            (value_RK[np.isin(cluster_R, shared_C)], cluster_R[np.isin(cluster_R, shared_C)])
            for value_RK, cluster_R in sides
        ]
        return np.array([each.t for each in compare(traits, kept[0], kept[1], level=0.95, method="")])

    shift_K, divergence_K = t_of("shift_LK", "at_L"), t_of("divergence_LK", "at_L")
    projection_K, judge_K = t_of("projection_RK", None), t_of("judge_JK", "at_L")
    surprise = float(t_of("surprise_R", None, ["surprise"])[0])
    found = [
        Score(name, float(t_K.max()), names[int(t_K.argmax())])
        for name, t_K in (
            ("likelihood shift", shift_K),
            ("divergence tokens", divergence_K),
            ("activation projection", projection_K),
            ("judge", judge_K),
        )
    ]
    return [
        *found,
        Score("perplexity", abs(surprise)),
        Score("classifier of texts", float(own["auroc"])),
        Score("keywords", float(own["keyword_RK"].any(axis=1).mean())),
    ]
