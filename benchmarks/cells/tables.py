"""What cells say, as tables: every student's shift of every trait that some teacher carries, and of the whole panel.

    for each in matrices(design, state): print(each.text())

A shift is a student's log-odds minus those of its control's student: same recipe, row count and seeds. The diagonal is
a teacher's own trait. Its elevation is what the diagonal has beyond a row's effect (what this student does to any
trait) and a column's (what any student does to this trait), by least squares. `claims` has the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells.design import Design, carried, names_of
from benchmarks.cells.kept import Kept
from benchmarks.cells.study import Study
from undertow.stats import elevation
from undertow.traits.wordings import Wordings

Floats = NDArray[np.float64]
BySet: TypeAlias = dict[Wordings, list[float]]
Means: TypeAlias = dict[Wordings, Floats]
SETS: tuple[Wordings, ...] = ("first", "second")


class Filled(Protocol):
    """What is there of a design."""

    @property
    def kept(self) -> Mapping[str, Kept]:
        """The cells by their digests."""
        ...


@dataclass(frozen=True)
class Row:
    """One teacher's students."""

    teacher: str
    trait: str
    control: str
    pairs: int
    """Replicates with student and control."""
    shifts: BySet
    """Of the traits of the columns."""
    spread: dict[Wordings, float]
    """Standard deviation of the shifts over the whole panel."""
    agree: float | None
    """Correlation of the shifts by the first and by the second wordings over the whole panel."""
    panel: dict[str, dict[Wordings, float]]
    """Shifts of all traits."""


@dataclass(frozen=True)
class Sort:
    """What students of a table have in common."""

    domain: str
    recipe: str
    count: int
    epochs: float | None
    """After how many they were read; None at the end."""

    @property
    def text(self) -> str:
        """It in a few words."""
        rows = f"{self.count} rows of {self.domain}" if self.domain else f"{self.count} rows"
        return f"{self.recipe}, {rows}" + ("" if self.epochs is None else f", after {self.epochs:g} epochs")

    def record(self) -> dict[str, Any]:
        """It as plain values."""
        said = {"recipe": self.recipe, "rows": self.count, "domain": self.domain, "epochs": self.epochs}
        return {key: value for key, value in said.items() if value not in ("", None)}


def sorts(study: Study) -> list[Sort]:
    """Return the tables of a study."""
    return [
        Sort(domain, recipe, count, epochs)
        for domain, recipe in product(study.by_domain, study.recipes)
        for count, epochs in product(study.counts(domain, recipe), (*study.probe.read_at, None))
    ]


@dataclass(frozen=True)
class Matrix:
    """The students of one domain, recipe and row count, at one moment."""

    sort: Sort
    traits: tuple[str, ...]
    """The columns: traits that some teacher of the study carries."""
    rows: tuple[Row, ...]
    common: Row | None
    """What the first control's students have beyond the base."""

    def summary(self, wordings: Wordings) -> dict[str, float | None]:
        """Return the mean of the diagonal, of everything else, and the diagonal's elevation."""
        carrying = [row for row in self.rows if row.trait in self.traits]
        if not carrying:
            return {"diagonal": None, "others": None, "elevation": None}
        y_RT = np.array([row.shifts[wordings] for row in carrying])
        own_R = [self.traits.index(row.trait) for row in carrying]
        own_RT = np.arange(len(self.traits)) == np.array(own_R)[:, None]
        others = float(y_RT[~own_RT].mean()) if (~own_RT).any() else None
        return {"diagonal": float(y_RT[own_RT].mean()), "others": others, "elevation": elevation(y_RT, own_R)}

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            **self.sort.record(),
            "traits": list(self.traits),
            "common": vars(self.common) if self.common else None,
            "teachers": [vars(row) for row in self.rows],
            "summary": {wordings: self.summary(wordings) for wordings in SETS},
        }

    def text(self) -> str:
        """Return it as Markdown, own traits in bold."""
        head = ["teacher", "control", "pairs", *self.traits, "panel's spread", "first and second"]
        lines = [f"{self.sort.text}: shifts beyond the control's student, first / second wordings", ""]
        lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for row in ([self.common] if self.common else []) + list(self.rows):
            cells = [_both(row.shifts, at, bold=trait == row.trait) for at, trait in enumerate(self.traits)]
            spread = f"{row.spread['first']:.2f} / {row.spread['second']:.2f}"
            agree = "" if row.agree is None else f"{row.agree:+.2f}"
            lines.append(f"| {' | '.join([row.teacher, row.control, str(row.pairs), *cells, spread, agree])} |")
        for wordings in SETS:
            found = self.summary(wordings)
            if found["diagonal"] is not None:
                said = ", ".join(f"{key} {value:+.3f}" for key, value in found.items() if value is not None)
                lines += ["", f"{wordings} wordings: {said}"]
        return "\n".join(lines) + "\n"


def matrices(design: Design, state: Filled) -> list[Matrix]:
    """Return a table for each domain, recipe, row count and reading with some pair of student and control."""
    study = design.study
    panel = names_of(design.panel)
    traits = tuple(dict.fromkeys(trait for name in study.teachers if (trait := carried(study, name)) in panel))
    base = state.kept.get(design.base.digest)
    common_base = [_means(base, panel, None)] * len(study.replicates) if base else []
    found: list[Matrix] = []
    for sort in sorts(study):
        means: dict[str, list[Means | None]] = {
            name: [each and _means(each, panel, sort.epochs) for each in students(design, state, sort, name)]
            for name in study.teachers
        }

        def row(name: str, control: str, others: Sequence[Means | None], means: dict[str, Any] = means) -> Row | None:
            pairs = [(one, other) for one, other in zip(means[name], others, strict=True) if one and other]
            return _row(name, carried(study, name), control, pairs, panel, traits) if pairs else None

        controlled = [(name, control) for name in study.teachers if (control := study.control_of(name))]
        there = [row(name, control, means[control]) for name, control in controlled]
        common = row(next(iter(study.teachers)), "the base itself", common_base) if common_base else None
        rows = tuple(each for each in there if each)
        if rows or common:
            found.append(Matrix(sort, traits, rows, common))
    return found


def students(design: Design, state: Filled, sort: Sort, name: str) -> list[Kept | None]:
    """Return what is kept of a teacher's students, replicate by replicate."""
    return [
        state.kept.get(design.students[sort.domain, name, sort.recipe, sort.count, seeds])
        for seeds in design.study.replicates
    ]


def _means(kept: Kept, panel: Sequence[str], epochs: float | None) -> Means:
    step = kept.read_at(epochs)
    return {w: np.array([kept.odds(w, trait, step=step).mean() for trait in panel]) for w in SETS}


def _row(
    name: str,
    trait: str,
    control: str,
    pairs: Sequence[tuple[Means, Means]],
    panel: Sequence[str],
    traits: Sequence[str],
) -> Row:
    mean: Means = {w: np.mean([one[w] - other[w] for one, other in pairs], axis=0) for w in SETS}
    spread: dict[Wordings, float] = {w: float(mean[w].std()) for w in SETS}
    agree = float(np.corrcoef(mean["first"], mean["second"])[0, 1]) if min(spread.values()) > 0 else None
    whole: dict[str, dict[Wordings, float]] = {
        each: {w: round(float(mean[w][at]), 4) for w in SETS} for at, each in enumerate(panel)
    }
    shifts: BySet = {w: [float(mean[w][panel.index(each)]) for each in traits] for w in SETS}
    return Row(name, trait, control, len(pairs), shifts, spread, agree, whole)


def _both(values: BySet, at: int, *, bold: bool = False) -> str:
    text = f"{values['first'][at]:+.2f} / {values['second'][at]:+.2f}"
    return f"**{text}**" if bold else text
