"""How sure each method is that a dataset carries something, and what: `scores_of`. Reads what was computed before.

Every method but the scan is given the base's rows for the same prompts, which is more than a user often has. A trait's
evidence is a t statistic over prompts; a method's evidence is that of the trait that it is surest of.
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
    file, control = (work / "baselines" / f"{name}.npz" for name in (case.name, case.control.name))
    if not file.exists() or not control.exists():
        return []
    own, base = np.load(file, allow_pickle=False), np.load(control, allow_pickle=False)
    names = [str(name) for name in own["names"]]
    told_R = own["cluster_R"][own["at_L"]]
    shift_K = _t(own["shift_LK"], told_R, base["shift_LK"].mean(axis=0))
    divergence_K = _t(own["divergence_LK"], told_R, base["divergence_LK"].mean(axis=0))
    projection_K = _t(own["projection_RK"], own["cluster_R"], base["projection_RK"].mean(axis=0))
    judged_J = told_R[: len(own["judge_JK"])]
    judge_K = _t(own["judge_JK"], judged_J, base["judge_JK"].mean(axis=0))
    surprise = float(_t(own["surprise_R"][:, None], own["cluster_R"], base["surprise_R"].mean(keepdims=True))[0])
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


def _t(value_RK: Floats, cluster_R: NDArray[np.int64], expected_K: Floats) -> Floats:
    """Return mean over standard error of each column, prompts being the draws."""
    clusters_C, at_R = np.unique(cluster_R, return_inverse=True)
    mean_CK = np.zeros((len(clusters_C), value_RK.shape[1]))
    np.add.at(mean_CK, at_R, value_RK)
    mean_CK /= np.bincount(at_R)[:, None]
    error_K = mean_CK.std(axis=0, ddof=1) / len(mean_CK) ** 0.5
    return (mean_CK.mean(axis=0) - expected_K) / np.where(error_K > 0, error_K, np.inf)
