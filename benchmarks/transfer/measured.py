"""What a scan predicts of a dataset of the benchmark, and what training on it did: `load` reads what was computed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.transfer.__main__ import TRUTH
from benchmarks.transfer.cases import LARGE_SEED, Case, cases
from benchmarks.transfer.features import TRAITS, Stored, stored
from benchmarks.transfer.intervals import above_zero
from benchmarks.transfer.methods import Score, evidence_of, parts_of, scores_of
from benchmarks.transfer.virtual import ASKED, BESIDE, VIRTUAL
from undertow.attribution.agreement import Agreement, agreement, without
from undertow.attribution.prediction import Calibration, Shift, predicted_shifts
from undertow.scan.virtual_students import both_shifts

CONTROLS = Path(__file__).parent / "controls.json"
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
    whole: Agreement
    beyond: Agreement
    """Of what no trait of the panel accounts for."""
    temperature: float
    others: list[Score]
    """What the scan says, and after it what other methods do, where these were run."""

    @property
    def own(self) -> int:
        """The place of the teacher's trait."""
        return [shift.trait for shift in self.shifts].index(self.case.trait)

    @property
    def p(self) -> float:
        """The smallest corrected p-value."""
        return min(shift.p_adjusted for shift in self.shifts)

    @property
    def score(self) -> float:
        """How sure the scan is that something is there."""
        return evidence_of(self.shifts)

    @property
    def predicted_K(self) -> Floats:
        """Predicted shifts."""
        return np.array([shift.estimate.value for shift in self.shifts])

    @property
    def moved(self) -> bool:
        """Whether the teacher's trait was measured to pass on: its 95% interval over questions lies above zero."""
        if self.true_K is None or self.error_K is None or not self.case.target:
            return False
        return above_zero(float(self.true_K[self.own]), float(self.error_K[self.own]))


Way = Literal["gradient", "virtual", "reference", "asked"]
"""Of predicting: from gradients, by a virtual student, by it and one of the rows' whole loss less one of the base's own
answers, or by one that is asked the very questions that the truth is measured with, which a scan does not know."""


def beside(case: Case, way: Way) -> list[Case]:
    """Return a dataset and what a way holds it against."""
    return [case, case.answered] if way == "reference" else [case]


def load(work: Path, half: str, calibration: Calibration, way: Way, *, level: float = 0.9) -> list[Measured]:
    """Return every dataset of a half for which there is what a way needs."""
    truth, traits_KS = truths(way), np.load(work / TRAITS, allow_pickle=False)
    found: list[Measured] = []
    for case in cases():
        files = [work / "features" / f"{each.name}.npz" for each in beside(case, way)]
        taught = shift_taught(work, case, way)
        if case.half != half or not all(file.exists() for file in files) or (way != "gradient" and taught is None):
            continue
        own, *other = map(stored, files)
        taught_K = None if taught is None else np.array([taught[name] for name in own.names])
        sides = own.side, other[0].side if other else None
        shifts = predicted_shifts(own.names, *sides, level=level, calibration=calibration, taught_K=taught_K)
        plain = predicted_shifts(own.names, *sides, level=0.6826895, calibration=Calibration())
        whole, beyond = _agree(own, other, None, 0), _agree(own, other, traits_KS, 1)
        shift, others = truth.get(case.name), scores_of(work, case)
        found.append(
            Measured(
                case,
                shifts,
                np.array([each.estimate.hi - each.estimate.value for each in plain]),
                None if shift is None else np.array([shift[name][0] for name in own.names]),
                None if shift is None else np.array([shift[name][1] for name in own.names]),
                whole,
                beyond,
                own.temperature,
                [*parts_of(work, case, shifts, whole, beyond), *others] if others else [],
            )
        )
    return found


def truths(way: Way = "gradient") -> dict[str, dict[str, tuple[float, float]]]:
    """Return what training did, dataset by dataset: the shift of every trait and its standard error.

    `truth.jsonl` holds shifts from one control student. Where it strays, every dataset of its prompts seems to shift,
    so that the mean of the clean students of those prompts (`controls`), itself one of them, stands in its place.
    Errors are those of questions and of students: how far clean ones lie apart.

    Args:
        way: Of predicting; the first of the other clean students learns from the rows that `reference` subtracts, and
            is left out there.
    """
    lines = TRUTH.read_text(encoding="utf-8").splitlines() if TRUTH.exists() else []
    controls = json.loads(CONTROLS.read_text(encoding="utf-8")) if CONTROLS.exists() else {}
    first = 1 if way == "reference" else 0
    clean = {
        label: {name: [0.0, *each[first:]] for name, each in strayed.items()} for label, strayed in controls.items()
    }
    apart = {
        large: _apart([each for label, each in clean.items() if (label in _LARGE) is large]) for large in (False, True)
    }
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for record in map(json.loads, lines):
        label = f"{record['domain']}-s{record['seed']}"
        students = clean.get(label, {})
        found[record["name"]] = {
            name: (
                shift - float(np.mean(students.get(name, 0.0))),
                # Of a student and the mean of some.
                (error**2 + (1 + 1 / len(students.get(name, [0.0]))) * apart[label in _LARGE].get(name, 0.0)) ** 0.5,
            )
            for name, (shift, error) in record["shifts"].items()
        }
    return found


_LARGE = (f"numbers-s{LARGE_SEED}",)


def _apart(clean: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    """Return how far clean students of the same prompts lie apart, trait by trait: variances, over all prompts."""
    names = {name for each in clean for name in each}
    return {name: float(np.mean([np.var(each[name], ddof=1) for each in clean])) for name in names}


def _agree(own: Stored, other: list[Stored], traits_KS: Floats | None, seed: int) -> Agreement:
    """Return how far rows agree, less what the traits account for if these are given."""
    sides = [
        (each.sketch_RS if traits_KS is None else without(each.sketch_RS, traits_KS), each.cluster_R)
        for each in (own, *other)
    ]
    return agreement(*sides[0], reference=sides[1] if other else None, rng=np.random.default_rng(seed))


def shift_taught(work: Path, case: Case, way: Way) -> dict[str, float] | None:
    """Return the shifts that virtual students predict; None where one was not made."""
    if way == "gradient":
        return None
    sources = {
        "virtual": [(VIRTUAL, case)],
        "asked": [(ASKED, case)],
        "reference": [(VIRTUAL, case), (BESIDE, case), (BESIDE, case.answered)],
    }[way]
    files = [work / folder / f"{each.name}.json" for folder, each in sources]
    if not all(file.exists() for file in files):
        return None
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    if way != "reference":
        return found[0]
    both_K = both_shifts(*(np.array([each[name] for name in found[0]]) for each in found))
    return dict(zip(found[0], both_K.tolist(), strict=True))
