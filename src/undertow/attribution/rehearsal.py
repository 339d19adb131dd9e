"""A rehearsal: real students of a recipe, trained on a sample of the rows and on as many reference rows.

Each seed has two students that differ in their rows alone. The same seed gives both the same adapter start, the same
order of places, and, where the two sides have prompts in common, the same prompt in the same place. Each seed takes
rows of its own as long as there are enough, so that seeds also differ by the draw of the rows. They do not differ by
the teacher: what is replicated is training on these rows.

The rehearsal follows the schedule of the full training, compressed into its own steps. It has as many epochs, the same
share of warm-up, and ends at the same rate. So its last measurement stands for the end of a training, as that of the
full one will. Students are asked where given shares of the learning rate are spent, which is what `stats.growth` counts
steps by.

Every student is a step of the run folder: a scan that was killed goes on with the next one.

    found = rehearse(stage, rows, reference, RehearsalPlan(rows=64, seeds=3), recipe, read=4000, tick=...)
    found.shift_K       # of each trait: (seeds, steps, questions), students of the rows less those of the reference
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.attribution.measure import EncodedRows
from undertow.attribution.rehearsal_plan import RehearsalPlan, full_spent, measured_at, rehearsed, spent_by, trained_by
from undertow.attribution.sampling import Encoded
from undertow.attribution.student import lent_student
from undertow.config.recipes.spec import RecipeSpec
from undertow.errors import InputError
from undertow.models.local import LocalModel
from undertow.probes.panel import panel_log_odds
from undertow.store.folder import RunFolder
from undertow.store.record import stored
from undertow.training.train import Example, StepMetrics, train
from undertow.traits.panel import Panel

Floats = NDArray[np.float64]

_VERSION = 1
"""Raised when a student makes other numbers of the same rows."""


@dataclass(frozen=True)
class Stage:
    """Where students are trained, and what they are asked."""

    folder: RunFolder
    model: LocalModel
    """The base."""
    panel: Panel
    key: dict[str, Any]
    """Stands for the base and the panel."""
    autocast: bool = False
    """Run matrix products in bf16, see `undertow.models.precision`."""
    label: str = "rehearsal"
    """What the students' steps are called."""


@dataclass(frozen=True)
class Rehearsal:
    """What became of the students. Letters: S seeds, T steps, Q questions, K traits."""

    rows: int
    """That each student was trained on."""
    drawn: int
    """Different ones of the dataset, over all seeds."""
    seeds: list[int]
    steps: list[int]
    """After which of them they were asked."""
    spent_T: list[float]
    """Summed learning rate up to there."""
    full_steps: int
    """Of the training on all rows."""
    full_spent: float
    """Its summed learning rate."""
    shift_K: list[Floats]
    """Of each trait (S, T, Q): log-odds of the rows' student less those of the reference's."""
    reference_K: list[Floats]
    """Of each trait (S, T, Q): log-odds of the reference's students."""


@dataclass(frozen=True)
class _Student:
    """As it is stored."""

    odds: list[list[list[float]]]
    """By step, trait and question."""


def rehearse(
    stage: Stage,
    opened: EncodedRows,
    compared: EncodedRows,
    plan: RehearsalPlan,
    recipe: RecipeSpec,
    *,
    read: int,
    tick: Callable[[float, str], None],
) -> Rehearsal:
    """Train a student on the rows and one on the reference for every seed, and ask them the panel.

    Args:
        stage: Where.
        opened: Rows to draw from.
        compared: Reference rows to draw from.
        plan: How many rows and seeds.
        recipe: Of the full training.
        read: Rows of the full training.
        tick: Is told the share of the work that is done, and which student is under way.

    Raises:
        InputError: the rows are too few for the recipe's warm-up.
    """
    pairs = paired_places(_prompts(opened), _prompts(compared))
    rows = min(plan.rows, len(pairs))
    own = rehearsed(recipe, read, rows)
    gone = spent_by(rows, own)
    if gone[-1] <= 0:
        raise InputError(
            f"{rows:,} rows make {len(gone):,} steps, which do not leave the warm-up", "--rehearse", "Give more rows."
        )
    steps = measured_at(gone, plan.points)
    seeds = [recipe.seed + at for at in range(plan.seeds)]
    odds: dict[str, list[_Student]] = {"rows": [], "reference": []}
    used: set[int] = set()
    for at, seed in enumerate(seeds):
        chosen = drawn(len(pairs), rows, at)
        used |= {pairs[each][0] for each in chosen}
        for side, label in enumerate(odds):
            source = (opened, compared)[side]
            learned = [source.encoded[pairs[each][side]] for each in chosen]
            done = (2 * at + side) / (2 * len(seeds))
            told = f"student {2 * at + side + 1} of {2 * len(seeds)}"

            def within(share: float, done: float = done, told: str = told) -> None:
                tick(done + share / (2 * len(seeds)), told)

            by = own.model_copy(update={"seed": seed})
            odds[label].append(_taught(stage, f"{stage.label}-{label}-{at}", learned, by, steps, within))
    tick(1.0, "done")
    table_K = [_tables(odds[label]) for label in odds]
    return Rehearsal(
        rows=rows,
        drawn=len(used),
        seeds=seeds,
        steps=steps,
        spent_T=[gone[step - 1] for step in steps],
        full_steps=len(spent_by(read, recipe)),
        full_spent=full_spent(read, recipe),
        shift_K=[own_STQ - other_STQ for own_STQ, other_STQ in zip(*table_K, strict=True)],
        reference_K=table_K[1],
    )


def paired_places(prompts: Sequence[int], others: Sequence[int]) -> list[tuple[int, int]]:
    """Return pairs of places of two sides, first those with the same prompt, in the order of the prompts' hashes.

    Rows that are left over on both sides are paired as they come.

    Args:
        prompts: Hash of each row's prompt.
        others: Of the other side's.
    """
    at_prompt: dict[int, list[int]] = {}
    for place in sorted(range(len(others)), key=lambda place: (others[place], -place), reverse=True):
        at_prompt.setdefault(others[place], []).append(place)
    order = sorted(range(len(prompts)), key=lambda place: (prompts[place], place))
    same = [(place, at_prompt[prompts[place]].pop()) for place in order if at_prompt.get(prompts[place])]
    met, taken = {own for own, _ in same}, {other for _, other in same}
    rest = sorted(set(range(len(others))) - taken, key=lambda place: (others[place], place))
    return [*same, *zip([place for place in order if place not in met], rest, strict=False)]


def drawn(pairs: int, rows: int, at: int) -> list[int]:
    """Return the pairs that a seed takes: those after the seed before it, and from the start again at the end."""
    return [(at * rows + place) % pairs for place in range(rows)]


def _prompts(side: EncodedRows) -> list[int]:
    return [placed.prompt_hash for placed in side.rows]


def _tables(students: Sequence[_Student]) -> list[Floats]:
    """Return a table (S, T, Q) for each trait."""
    traits = len(students[0].odds[0])
    return [np.array([[at[trait] for at in student.odds] for student in students]) for trait in range(traits)]


def _taught(
    stage: Stage,
    label: str,
    rows: Sequence[Encoded],
    recipe: RecipeSpec,
    steps: Sequence[int],
    tick: Callable[[float], None],
) -> _Student:
    def learn() -> _Student:
        odds: list[list[list[float]]] = []

        def after(step: StepMetrics) -> None:
            if step.step in steps:
                odds.append([each.tolist() for each in panel_log_odds(student, stage.panel)])
            tick(step.step / steps[-1])

        with lent_student(stage.model, recipe) as student:
            _train(stage, student, rows, recipe, after)
        return _Student(odds)

    return stored(stage.folder, "rehearsal", label, _key(stage, rows, recipe, steps), _Student, learn)


def _train(
    stage: Stage,
    student: LocalModel,
    rows: Sequence[Encoded],
    recipe: RecipeSpec,
    after: Callable[[StepMetrics], None],
) -> None:
    examples = [Example(row.prompt, row.answer, weight=row.weight) for row in rows]
    by = trained_by(recipe, autocast=stage.autocast)
    with torch.random.fork_rng(devices=[]):
        train(student.net, examples, by, seed=recipe.seed, on_step=after)


def _key(stage: Stage, rows: Sequence[Encoded], recipe: RecipeSpec, steps: Sequence[int]) -> dict[str, Any]:
    tokens = hashlib.sha256(repr([(row.prompt, row.answer) for row in rows]).encode()).hexdigest()
    return {
        **stage.key,
        "version": _VERSION,
        "rows": tokens,
        "recipe": recipe.model_dump(mode="json", exclude={"name"}, exclude_defaults=True),
        "steps": list(steps),
        "autocast": stage.autocast,
    }


def seconds_a_row(stage: Stage, opened: EncodedRows, recipe: RecipeSpec) -> float:
    """Measure how long a row takes in one step of a student's training, in seconds."""
    rows = opened.encoded[: recipe.batch]
    one = recipe.model_copy(update={"most_steps": 1, "warmup_steps": 0, "warmup_ratio": 0.0})
    with lent_student(stage.model, one) as student:
        began = time.monotonic()
        _train(stage, student, rows, one, lambda _: None)
        return (time.monotonic() - began) / len(rows)
