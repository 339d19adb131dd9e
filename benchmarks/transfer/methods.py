"""How sure each method is that a dataset carries something, and what: `scores_of`. Reads what was computed before.

Every method but the scan's own is given the base's rows for the same prompts, which is more than a user often has. The
evidence of such a method is a paired t statistic over prompts, of the trait that it is surest of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer.cases import Case
from undertow.attribution.agreement import Agreement
from undertow.attribution.prediction import Shift
from undertow.scan.baseline_statistics import Compared, compare
from undertow.scan.baselines import ROWS, TUNED, named

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What a method says of a dataset."""

    name: str
    evidence: float
    first: str = ""
    """The trait that it is surest of; empty where it names none."""


def evidence_of(shifts: Sequence[Shift]) -> float:
    """Return how sure a scan is that something is there, from its smallest corrected p-value."""
    return -float(np.log10(max(min(shift.p_adjusted for shift in shifts), 1e-300)))


def parts_of(work: Path, case: Case, shifts: Sequence[Shift], whole: Agreement, beyond: Agreement) -> list[Score]:
    """Return what each part of a scan says alone, and what they say together, without any reference rows.

    Evidence is minus the logarithm of the smallest corrected p-value, a mean cosine between rows, the root mean square
    of all traits' shifts, and how far rows lean to the first suspect.

    Args:
        work: Where virtual students and virtual teachers were kept; a part that was not asked is not a number.
        case: The dataset.
        shifts: As predicted from gradients.
        whole: Of the rows' gradients.
        beyond: Of what is left of them outside of the panel.
    """
    sure = evidence_of(shifts)
    # By how much the limits are passed that alarms have: 0.05 for what has a name, 0.01 for what has none.
    together = max(sure + np.log10(0.05), -np.log10(beyond.p) + np.log10(0.01))
    taught, teacher = _taught(work, case), _writer(work, case)
    return [
        Score("scan, both alarms", float(together), (first := max(shifts, key=lambda shift: shift.t).trait)),
        Score("gradients along the panel", sure, first),
        Score("agreement of gradients", whole.cosine),
        Score("virtual student", *taught),
        Score("virtual teachers", *teacher),
    ]


def _taught(work: Path, case: Case) -> tuple[float, str]:
    file = work / "virtual" / f"{case.name}.json"
    if not file.exists():
        return float("nan"), ""
    taught = json.loads(file.read_text(encoding="utf-8"))
    return float(np.mean(np.square(list(taught.values()))) ** 0.5), max(taught, key=lambda name: taught[name])


def _writer(work: Path, case: Case) -> tuple[float, str]:
    file = work / "writers" / f"{case.name}.json"
    if not file.exists():
        return float("nan"), ""
    record = json.loads(file.read_text(encoding="utf-8"))
    if "more" not in record:
        return float("nan"), ""
    told = told_writers(record)
    return told[0].estimate.value, told[0].trait


def told_writers(record: dict[str, Any]) -> list[Compared]:
    """Return the suspects of a record of `writers`, first the one to whom the rows lean most."""

    def ask(asked: Sequence[str], most: int) -> list[tuple[Floats, NDArray[np.int64]]]:
        which = "first" if most == ROWS else "more"
        part = record[which]
        told = dict(zip(part["suspects"], np.array(part["leaning_RK"]).T, strict=True))
        if "tuned" in record:
            told[TUNED] = np.array(record["tuned"][which])
        return [(np.stack([told[name] for name in asked], axis=1), np.array(part["cluster_R"]))]

    suspects = [*record["first"]["suspects"], *([TUNED] if "tuned" in record else [])]
    return named(suspects, ask, panel=len(record["evidence"]) + 1, level=0.95)


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
