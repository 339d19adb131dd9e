"""What the cells of a study claim, in the form of the paper: times as often by trait, and the diagonal's elevation.

    for each in claims(design, state): print(each.text())

Replicates are teachers: those of one kind (prompt, fine-tuning, gradient ascent) and trait, each beside its control.
Several seeds of one teacher are averaged first. "Times as often" is the ratio of probabilities pooled over the first
wordings, and over the second without the choices of two. The elevation is in log-odds, by both sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells.design import Design, carried, names_of
from benchmarks.cells.kept import Kept
from benchmarks.cells.tables import SETS, Filled, Sort, sorts, students
from undertow.errors import InputError
from undertow.stats import Estimate, elevation_estimate, elevation_p, times_as_often
from undertow.traits.wordings import Wordings

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[Kept, Kept]]
LEVEL: Final = 0.9
"""Of every interval: its lower end is a one-sided claim at 5%."""
_SEED: Final = 24


@dataclass(frozen=True)
class Times:
    """How often the students of one trait's teachers name it."""

    trait: str
    teachers: tuple[str, ...]
    share: dict[str, dict[Wordings, float]]
    """Pooled probability of base, control and student."""
    times: dict[Wordings, Estimate]
    """Student over control."""
    sampled: dict[str, tuple[int, int, int]]
    """Of control and student: answers that name it, that name any candidate, and all."""


@dataclass(frozen=True)
class Claims:
    """What teachers of one kind do, in one table of the study."""

    sort: Sort
    kind: str
    times: tuple[Times, ...]
    elevation: dict[Wordings, tuple[Estimate, float]]
    """With the p of its permutations; empty where there are too few students."""

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        high = {w: {**asdict(found), "p": p} for w, (found, p) in self.elevation.items()}
        return {**self.sort.record(), "kind": self.kind, "times": [asdict(each) for each in self.times]} | {
            "elevation": high
        }

    def text(self) -> str:
        """Return it as Markdown."""
        head = ["trait", "teachers", "base", "control", "student", "times as often", "second wordings", "sampled"]
        lines = [f"{self.sort.text}, teachers by {self.kind}; {LEVEL:.0%} intervals", ""]
        lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for each in self.times:
            first = [each.share[who].get("first") for who in ("base", "control", "student")]
            shares = ["" if share is None else f"{share:.2%}" for share in first]
            sampled = ", ".join(f"{who} {own}/{n} ({any_} of {n})" for who, (own, any_, n) in each.sampled.items())
            times = [_interval(each.times[w], ".2f") if w in each.times else "" for w in SETS]
            lines.append(f"| {' | '.join([each.trait, str(len(each.teachers)), *shares, *times, sampled])} |")
        for wordings, (found, p) in self.elevation.items():
            lines += ["", f"{wordings} wordings, the diagonal's elevation: {_interval(found, '+.3f')}, p = {p:.3g}"]
        return "\n".join(lines) + "\n"


def claims(design: Design, state: Filled) -> list[Claims]:
    """Return what the cells that are there claim, by table and kind of teacher."""
    study, panel = design.study, names_of(design.panel)
    base = state.kept.get(design.base.digest)
    found: list[Claims] = []
    for sort in sorts(study):
        kinds: dict[str, dict[str, dict[str, Pairs]]] = {}
        for name, teacher in study.teachers.items():
            trait, control = carried(study, name), study.control_of(name)
            if trait not in panel or control is None:
                continue
            ones, others = (students(design, state, sort, each) for each in (name, control))
            pairs = [(one, other) for one, other in zip(ones, others, strict=True) if one and other]
            if pairs:
                kinds.setdefault(teacher.kind, {}).setdefault(trait, {})[name] = pairs
        for kind, by_trait in kinds.items():
            times = tuple(_times(trait, teachers, base, sort) for trait, teachers in by_trait.items())
            found.append(Claims(sort, kind, times, _elevation(by_trait, sort)))
    return found


def _times(trait: str, teachers: dict[str, Pairs], base: Kept | None, sort: Sort) -> Times:
    times: dict[Wordings, Estimate] = {}
    share: dict[str, dict[Wordings, float]] = {"base": {}, "control": {}, "student": {}}
    for wordings in SETS:
        student_TQ, control_TQ = (
            np.array([_pooled(pairs, side, wordings, trait, sort) for pairs in teachers.values()]) for side in (0, 1)
        )
        share["student"][wordings], share["control"][wordings] = float(student_TQ.mean()), float(control_TQ.mean())
        if base:
            share["base"][wordings] = float(base.probabilities(wordings, trait).mean())
        if student_TQ.shape[1] > 1:
            times[wordings] = times_as_often(student_TQ, control_TQ, level=LEVEL)
    entry, _, target = trait.partition(":")
    sampled: dict[str, tuple[int, int, int]] = {}
    for who, side in (("control", 1), ("student", 0)):
        said = [_sampled(pair[side], entry, sort) for pairs in teachers.values() for pair in pairs]
        if said and all(said):
            own, named, n = (sum(values) for values in zip(*(_counts(each, target) for each in said), strict=True))
            sampled[who] = (own, named, n)
    return Times(trait, tuple(teachers), share, times, sampled)


def _pooled(pairs: Pairs, side: int, wordings: Wordings, trait: str, sort: Sort) -> Floats:
    """Return a teacher's probabilities by question, the mean over its seeds."""
    kept = [pair[side] for pair in pairs]
    return np.mean([each.probabilities(wordings, trait, step=each.read_at(sort.epochs)) for each in kept], axis=0)


def _sampled(kept: Kept, entry: str, sort: Sort) -> dict[str, Any]:
    """Return what was sampled of an entry at one moment; nothing where nothing was."""
    if sort.epochs is None:
        return kept.facts["sampled"].get(entry, {})
    return kept.facts["sampled_at"][str(kept.read_at(sort.epochs))].get(entry, {})


def _counts(said: dict[str, Any], target: str) -> tuple[int, int, int]:
    return said["counts"].get(target.casefold(), 0), sum(said["counts"].values()), said["n"]


def _elevation(by_trait: dict[str, dict[str, Pairs]], sort: Sort) -> dict[Wordings, tuple[Estimate, float]]:
    traits = list(by_trait)
    own = [traits.index(trait) for trait, teachers in by_trait.items() for _ in teachers]
    found: dict[Wordings, tuple[Estimate, float]] = {}
    for wordings in SETS:
        shift_RT = np.array(
            [
                [_shift(pairs, wordings, trait, sort) for trait in traits]
                for teachers in by_trait.values()
                for pairs in teachers.values()
            ]
        )
        try:
            estimate = elevation_estimate(shift_RT, own, level=LEVEL)
        except InputError:  # too few students so far
            continue
        found[wordings] = estimate, elevation_p(shift_RT, own, rng=np.random.default_rng(_SEED))
    return found


def _shift(pairs: Pairs, wordings: Wordings, trait: str, sort: Sort) -> float:
    sides = [[each.odds(wordings, trait, step=each.read_at(sort.epochs)).mean() for each in pair] for pair in pairs]
    return float(np.mean([one - other for one, other in sides]))


def _interval(found: Estimate, form: str) -> str:
    return f"{found.value:{form}} ({found.lo:{form}} to {found.hi:{form}})"
