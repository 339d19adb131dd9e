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

    def t_of(what: str, rows: str | None) -> Floats:
        sides: list[tuple[Floats, NDArray[np.int64]]] = []
        for side in (own, base):
            value_RK = side[what] if side[what].ndim == 2 else side[what][:, None]
            cluster_R = side["cluster_R"] if rows is None else side["cluster_R"][side[rows]]
            sides.append(by_prompt(value_RK, cluster_R[: len(value_RK)]))
        return t_statistics(*sides)

    shift_K, divergence_K = t_of("shift_LK", "at_L"), t_of("divergence_LK", "at_L")
    projection_K, judge_K = t_of("projection_RK", None), t_of("judge_JK", "at_L")
    surprise = float(t_of("surprise_R", None)[0])
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


def by_prompt(value_RK: Floats, cluster_R: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Return the mean over each prompt's rows (C, K), and the prompts' numbers (C)."""
    clusters_C, at_R = np.unique(cluster_R, return_inverse=True)
    mean_CK = np.zeros((len(clusters_C), value_RK.shape[1]))
    np.add.at(mean_CK, at_R, value_RK)
    return mean_CK / np.bincount(at_R)[:, None], clusters_C


def t_statistics(own: tuple[Floats, NDArray[np.int64]], base: tuple[Floats, NDArray[np.int64]]) -> Floats:
    """Return mean difference over standard error of each column, prompts that both have being the draws."""
    (own_CK, own_C), (base_CK, base_C) = own, base
    _, left, right = np.intersect1d(own_C, base_C, return_indices=True)
    gap_CK = own_CK[left] - base_CK[right]
    error_K = gap_CK.std(axis=0, ddof=1) / len(gap_CK) ** 0.5
    return gap_CK.mean(axis=0) / np.where(error_K > 0, error_K, np.inf)
