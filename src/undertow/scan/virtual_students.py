"""The virtual students of a scan: which ones are trained, and what they predict together. Each is a step of the folder.

Rows alone need one student. With base samples there are three. The first learns what the format leaves open, and the
second the rows' whole loss. The third learns the base's own distribution on the base samples, and its shift is
subtracted from the second's.

    taught = virtual_students(setup, [rows, reference], 128, before_KQ, tick)
    taught.shift_K
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from undertow.attribution.measure import EncodedRows, Setup, step_key
from undertow.attribution.readout import first_tokens, most_moved
from undertow.attribution.recipe import PLAIN, plain_of
from undertow.attribution.sampling import Sampling, fit_temperature
from undertow.config.recipes.spec import RecipeSpec
from undertow.probes.panel import panel_log_odds
from undertow.scan.virtual import Floats, virtual_student
from undertow.store.record import stored
from undertow.training.recipe import Recipe


@dataclass(frozen=True)
class VirtualResult:
    """What became of a virtual student. Letters: K traits, Q questions."""

    rows: int
    shift_KQ: list[Floats]
    """Of each trait's log-odds, question by question; traits have unequally many."""
    up: list[str]
    """Tokens that become likelier at the beginning of answers to unrelated questions."""
    down: list[str]

    @property
    def shift_K(self) -> Floats:
        """Of each trait, mean over questions."""
        return np.array([shift_Q.mean() for shift_Q in self.shift_KQ])


@dataclass(frozen=True)
class VirtualStudents:
    """The virtual students of a scan."""

    student: VirtualResult
    """Of the rows, among what could be written."""
    reference: VirtualResult | None = None
    """Of the reference rows, if there are some."""
    whole: VirtualResult | None = None
    """Of the rows' whole loss, where the reference's is one of what the base would have written."""

    @property
    def shift_K(self) -> Floats:
        """The predicted shift of each trait's log-odds, before calibration."""
        if self.reference is None:
            return self.student.shift_K
        if self.whole is None:
            return self.student.shift_K - self.reference.shift_K
        return both_shifts(self.student.shift_K, self.whole.shift_K, self.reference.shift_K)


def both_shifts(student_K: Floats, whole_K: Floats, reference_K: Floats) -> Floats:
    """Return what two students of the rows predict together, shape (K).

    The mean of what each of them does: each errs in a way of its own (docs/lab-notebook.md, 27 November 2026).

    Args:
        student_K: Shifts of a student of what the format leaves open, which needs no reference.
        whole_K: Of one of the rows' whole loss.
        reference_K: Of one that learned from reference rows; they are taken off the second's.
    """
    return (student_K + whole_K - reference_K) / 2


def students_of(opened: EncodedRows, compared: EncodedRows | None, *, sampled: bool) -> int:
    """Return how many students `virtual_students` trains.

    Args:
        opened: The rows.
        compared: Reference rows, if they were given.
        sampled: Whether the base writes the reference itself.
    """
    if sampled:
        return 2 if opened.sampling.automaton is None else 3
    if compared is None:
        return 1
    return 3 if _both_lists(opened, compared) else 2


def _both_lists(own: EncodedRows, reference: EncodedRows) -> bool:
    return own.sampling.automaton is not None and reference.sampling.automaton is not None


def virtual_students(
    setup: Setup,
    sides: Sequence[EncodedRows],
    rows: int,
    before_KQ: Sequence[Floats],
    tick: Callable[[float], None],
    recipe: RecipeSpec | None = None,
) -> VirtualStudents:
    """Teach what a scan predicts from: a student of the rows and, if there are reference rows, others beside it.

    Args:
        setup: What rows are measured with.
        sides: The rows, and reference rows if there are some.
        rows: How many each student learns from, at most.
        before_KQ: What the base answers.
        tick: Called with the number of rows that all students have learned from so far.
        recipe: Of the students; plain gradient steps when absent.
    """
    done = 0
    by = PLAIN if recipe is None else plain_of(recipe) or recipe

    def learn(side: EncodedRows, *, whole: bool = False, own: Sampling | None = None) -> VirtualResult:
        nonlocal done
        found = teach(
            setup, side, rows, read, before_KQ, lambda share: tick(done + share * rows), by, whole=whole, own=own
        )
        done += rows
        return found

    own, *others = sides
    read = own.chosen.read
    student = learn(own)
    if not others:
        return VirtualStudents(student)
    (reference,) = others
    if not _both_lists(own, reference):
        # Free text may have been selected and cut, which the base's own distributions know nothing of.
        return VirtualStudents(student, learn(reference))
    autocast = setup.precision.autocast
    written = fit_temperature(
        setup.model, reference.encoded, reference.sampling.automaton, fine=True, autocast=autocast
    )
    return VirtualStudents(student, learn(reference, whole=True, own=written), learn(own, whole=True))


@dataclass(frozen=True)
class _Stored:
    """As it is stored."""

    shifts: list[list[float]]
    up: list[str]
    down: list[str]


def teach(
    setup: Setup,
    opened: EncodedRows,
    count: int,
    read: int,
    before_KQ: Sequence[Floats],
    tick: Callable[[float], None],
    recipe: Recipe | RecipeSpec = PLAIN,
    *,
    whole: bool = False,
    own: Sampling | None = None,
) -> VirtualResult:
    """Train a virtual student on so many of the rows, and ask it.

    Args:
        setup: What rows are measured with.
        opened: The rows.
        count: How many it learns from, at most.
        read: Rows of the dataset: the reference's student makes as many steps as that of the rows.
        before_KQ: What the base answers.
        tick: Called with the share of the work that is done.
        recipe: Of the student.
        whole: It learns the rows' whole loss, see `virtual_student`.
        own: How the base wrote the rows: it learns what the base would have written there, not what stands there.
    """
    sampling = own or opened.sampling
    places = sorted(opened.first(min(count, len(opened.rows))))
    rows = [opened.encoded[at] for at in places]

    def learn() -> _Stored:
        before_V = first_tokens(setup.model)
        student = virtual_student(
            setup.model,
            rows,
            sampling,
            read=read,
            seed=0,
            recipe=recipe,
            whole=whole,
            own=own is not None,
            autocast=setup.precision.autocast,
            on_progress=lambda share: tick(0.8 * share),
        )
        with student as taught:
            after_KQ = panel_log_odds(taught, setup.panel)
            up, down = most_moved(taught, first_tokens(taught) - before_V)
        shifts = [(after - before).tolist() for after, before in zip(after_KQ, before_KQ, strict=True)]
        return _Stored(shifts, up, down)

    key = {**step_key(setup, rows, sampling), "read": read, "recipe": _recipe_key(recipe)}
    if whole or own is not None:
        key |= {"whole": whole, "own": own is not None}
    label = f"virtual-{opened.label}{'-whole' if whole else ''}"
    taught = stored(setup.folder, "virtual", label, key, _Stored, learn)
    tick(1.0)
    return VirtualResult(len(rows), [np.array(each) for each in taught.shifts], taught.up, taught.down)


_STORED: Final = (
    "labels",
    "learning_rate",
    "epochs",
    "batch",
    "micro_batch",
    "warmup",
    "weight_decay",
    "clip",
    "epsilon",
    "optimiser",
    "most_steps",
    "autocast",
)
"""Fields of plain gradient steps in a step's key: no other ones, or the steps of earlier scans would be lost."""


def _recipe_key(recipe: Recipe | RecipeSpec) -> dict[str, Any]:
    if isinstance(recipe, RecipeSpec):
        return recipe.model_dump(mode="json", exclude={"name", "micro_batch"})
    return {name: getattr(recipe, name) for name in _STORED}
