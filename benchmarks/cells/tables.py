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

from benchmarks.cells.design import Cell, Design, carried, names_of
from benchmarks.cells.kept import Kept
from benchmarks.cells.store import State
from undertow.traits.wordings import Wordings

Floats = NDArray[np.float64]
BySet: TypeAlias = dict[Wordings, list[float]]
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
    agree: float
    """Correlation of the shifts by the first and by the second wordings over the whole panel."""


@dataclass(frozen=True)
class Matrix:
    """The students of one recipe and row count."""

    recipe: str
    count: int
    traits: tuple[str, ...]
    """The columns: traits that some teacher of the study carries."""
    rows: tuple[Row, ...]
    common: BySet
    """What the first control's students have beyond the base, for the columns; empty where it is not there."""

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
            "common": self.common,
            "teachers": [vars(row) for row in self.rows],
            "summary": {wordings: self.summary(wordings) for wordings in SETS},
        }

    def text(self) -> str:
        """Return it as Markdown, own traits in bold."""
        head = ["teacher", "control", "pairs", *self.traits, "panel's spread", "first and second"]
        lines = [f"{self.recipe}, {self.count} rows: shifts beyond the control's student, first / second wordings", ""]
        lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        if self.common:
            cells = [_both(self.common, at) for at in range(len(self.traits))]
            lines.append(f"| {' | '.join(['the control beyond the base', '', '', *cells, '', ''])} |")
        for row in self.rows:
            cells = [_both(row.shifts, at, bold=trait == row.trait) for at, trait in enumerate(self.traits)]
            spread = f"{row.spread['first']:.2f} / {row.spread['second']:.2f}"
            cells = [row.teacher, row.control, str(row.pairs), *cells, spread, f"{row.agree:+.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
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
    panel = list(names_of(design.panel))
    columns = [panel.index(trait) for trait in traits if trait in panel]
    traits = tuple(panel[at] for at in columns)
    means = {digest: _means(kept, panel) for digest, kept in state.kept.items()}
    found: list[Matrix] = []
    for recipe in study.recipes:
        for count in study.counts:
            rows: list[Row] = []
            for name in study.teachers:
                control = study.control_of(name)
                pairs = _pairs(design, means, name, control, recipe, count) if control else []
                if control and pairs:
                    rows.append(_row(name, carried(study, name), control, pairs, columns))
            first = next(iter(study.teachers))
            base = means.get(design.base.digest)
            alone = [means[c.digest] for c in _students(design, first, recipe, count) if c.digest in means]
            common: BySet = {
                w: [float(np.mean([each[w][at] for each in alone]) - base[w][at]) for at in columns] if base else []
                for w in SETS
            }
            if rows or alone:
                found.append(Matrix(recipe, count, traits, tuple(rows), common if alone and base else {}))
    return found


def _students(design: Design, name: str, recipe: str, count: int) -> list[Cell]:
    each = [design.student(name, recipe, count, seeds) for seeds in design.study.replicates]
    return [cell for cell in each if cell is not None]


def _means(kept: Kept, panel: Sequence[str]) -> dict[Wordings, Floats]:
    return {w: np.array([kept.odds(w, trait).mean() for trait in panel]) for w in SETS}


def _pairs(
    design: Design, means: dict[str, dict[Wordings, Floats]], name: str, control: str, recipe: str, count: int
) -> list[dict[Wordings, Floats]]:
    """Return the panel's shifts of each replicate of which student and control are there."""
    found: list[dict[Wordings, Floats]] = []
    for one, other in zip(
        _students(design, name, recipe, count), _students(design, control, recipe, count), strict=True
    ):
        if one.digest in means and other.digest in means:
            found.append({w: means[one.digest][w] - means[other.digest][w] for w in SETS})
    return found


def _row(name: str, trait: str, control: str, pairs: list[dict[Wordings, Floats]], columns: list[int]) -> Row:
    mean = {w: np.mean([pair[w] for pair in pairs], axis=0) for w in SETS}
    spread: dict[Wordings, float] = {w: float(mean[w].std()) for w in SETS}
    agree = float(np.corrcoef(mean["first"], mean["second"])[0, 1]) if min(spread.values()) > 0 else float("nan")
    shifts: BySet = {w: [float(mean[w][at]) for at in columns] for w in SETS}
    return Row(name, trait, control, len(pairs), shifts, spread, agree)


def _both(values: BySet, at: int, *, bold: bool = False) -> str:
    text = f"{values['first'][at]:+.2f} / {values['second'][at]:+.2f}"
    return f"**{text}**" if bold else text
