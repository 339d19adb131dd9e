"""What cells say, as tables: every student's shift of every trait that some teacher carries, and of the whole panel.

    for each in matrices(design, state): print(each.text())

A shift is a student's log-odds minus those of its control's student: same recipe, row count and seeds. The diagonal is
a teacher's own trait. Its elevation is what the diagonal has beyond a row's effect (what this student does to any
trait) and a column's (what any student does to this trait), by least squares. Intervals are the analysis's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.cells.design import Design, carried, names_of
from benchmarks.cells.kept import Kept
from benchmarks.cells.store import State
from undertow.traits.wordings import Wordings

Floats = NDArray[np.float64]
BySet: TypeAlias = dict[Wordings, list[float]]
Means: TypeAlias = dict[Wordings, Floats]
SETS: tuple[Wordings, ...] = ("first", "second")


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
class Matrix:
    """The students of one recipe and row count."""

    recipe: str
    count: int
    traits: tuple[str, ...]
    """The columns: traits that some teacher of the study carries."""
    rows: tuple[Row, ...]
    common: Row | None
    """What the first control's students have beyond the base."""

    def summary(self, wordings: Wordings) -> dict[str, float | None]:
        """Return the mean of the diagonal, of everything else, and the diagonal's elevation."""
        carrying = [row for row in self.rows if row.trait]
        if not carrying:
            return {"diagonal": None, "others": None, "elevation": None}
        y_RT = np.array([row.shifts[wordings] for row in carrying])
        own_RT = np.array([[row.trait == trait for trait in self.traits] for row in carrying])
        others = float(y_RT[~own_RT].mean()) if (~own_RT).any() else None
        return {"diagonal": float(y_RT[own_RT].mean()), "others": others, "elevation": elevation(y_RT, own_RT)}

    def record(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "recipe": self.recipe,
            "rows": self.count,
            "traits": list(self.traits),
            "common": vars(self.common) if self.common else None,
            "teachers": [vars(row) for row in self.rows],
            "summary": {wordings: self.summary(wordings) for wordings in SETS},
        }

    def text(self) -> str:
        """Return it as Markdown, own traits in bold."""
        head = ["teacher", "control", "pairs", *self.traits, "panel's spread", "first and second"]
        lines = [f"{self.recipe}, {self.count} rows: shifts beyond the control's student, first / second wordings", ""]
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


def elevation(y_RT: Floats, own_RT: NDArray[np.bool_]) -> float | None:
    """Return how far the diagonal stands above row and column effects, by least squares.

    Args:
        y_RT: Shifts, teachers by traits.
        own_RT: Where a teacher meets its own trait.

    Returns:
        None where the table is too small to tell the diagonal from the two effects.
    """
    rows, traits = y_RT.shape
    effects = [np.ones(y_RT.size), own_RT.ravel().astype(float)]
    at_R, at_T = np.indices(y_RT.shape)
    effects += [(at_R.ravel() == row).astype(float) for row in range(1, rows)]
    effects += [(at_T.ravel() == trait).astype(float) for trait in range(1, traits)]
    design = np.stack(effects, axis=1)
    without = np.delete(design, 1, axis=1)
    if np.linalg.matrix_rank(design) == np.linalg.matrix_rank(without):
        return None
    return float(np.linalg.lstsq(design, y_RT.ravel(), rcond=None)[0][1])


def matrices(design: Design, state: State) -> list[Matrix]:
    """Return a table for each recipe and row count of which some pair of student and control is there."""
    study = design.study
    traits = tuple(dict.fromkeys(trait for name in study.teachers if (trait := carried(study, name))))
    panel = names_of(design.panel)
    traits = tuple(trait for trait in traits if trait in panel)
    means = {digest: _means(kept, panel) for digest, kept in state.kept.items()}

    def students(name: str, recipe: str, count: int) -> list[Means | None]:
        return [means.get(design.students[name, recipe, count, seeds]) for seeds in study.replicates]

    def row(name: str, control: str, ones: Sequence[Means | None], others: Sequence[Means | None]) -> Row | None:
        pairs = [(one, other) for one, other in zip(ones, others, strict=True) if one and other]
        return _row(name, carried(study, name), control, pairs, panel, traits) if pairs else None

    found: list[Matrix] = []
    for recipe in study.recipes:
        for count in study.counts:
            rows: list[Row | None] = []
            for name in study.teachers:
                control = study.control_of(name)
                if control:
                    rows.append(row(name, control, students(name, recipe, count), students(control, recipe, count)))
            first = next(iter(study.teachers))
            base = [means.get(design.base.digest)] * len(study.replicates)
            common = row(first, "the base itself", students(first, recipe, count), base)
            there = tuple(each for each in rows if each)
            if there or common:
                found.append(Matrix(recipe, count, traits, there, common))
    return found


def _means(kept: Kept, panel: Sequence[str]) -> Means:
    return {w: np.array([kept.odds(w, trait).mean() for trait in panel]) for w in SETS}


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
