"""How long a rehearsal is: its recipe, its steps, where it is measured, and what fits into a time. Needs no torch.

A rehearsal has the recipe of the full training, compressed into the steps of a sample (`rehearsed`). Students are asked
where shares of the learning rate are spent (`spent_by`, `measured_at`). `plan_rehearsal` fits rows, seeds and
measurements into a budget of seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from undertow.config.recipes.applied import on_answers
from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.errors import InputError
from undertow.training.recipe import Recipe, rate_at, recipe_from

ROWS, SEEDS, POINTS = 64, 3, 3
"""Of a rehearsal, unless something else is asked for."""
FEWEST_SEEDS = 2
"""One has no spread."""


@dataclass(frozen=True)
class RehearsalPlan:
    """How much is rehearsed."""

    rows: int = ROWS
    """That each student is trained on, at most."""
    seeds: int = SEEDS
    """Each has two students: one of the rows, and one of the reference."""
    points: int = POINTS
    """Times that each student is asked the panel, at most: where 1/2^(points - 1), ..., 1/2 and all of its learning
    rate are spent."""


@dataclass(frozen=True)
class RehearsalCost:
    """What a rehearsal takes on this machine."""

    students: int
    steps: int
    """Of each."""
    step: float
    """Seconds of one."""
    points: int
    asking: float
    """Seconds of the panel, once."""

    @property
    def seconds(self) -> float:
        """Of everything."""
        return self.students * (self.steps * self.step + self.points * self.asking)


def rehearsed(recipe: RecipeSpec, read: int, rows: int) -> RecipeSpec:
    """Return the recipe of a rehearsal: as many epochs, and the schedule of the full training in fewer steps.

    Args:
        recipe: Of the full training.
        read: Its rows.
        rows: Those of the rehearsal.
    """
    if rows >= read:
        return recipe
    changes: dict[str, int] = {}
    if recipe.most_steps is not None:
        changes["most_steps"] = max(1, round(recipe.most_steps * rows / read))
    whole = steps_for(recipe, read)
    steps = changes.get("most_steps") or steps_for(recipe, rows)
    if recipe.warmup_steps:
        changes["warmup_steps"] = min(recipe.warmup_steps, max(1, round(recipe.warmup_steps * steps / whole)))
    return recipe.model_copy(update=changes)


def trained_by(recipe: RecipeSpec, *, autocast: bool = False) -> Recipe:
    """Return a recipe as training takes it, each row by itself where its trainer packs, and of a pair one answer.

    Args:
        recipe: As a file says it.
        autocast: Run matrix products in bf16.
    """
    return recipe_from(on_answers(recipe).model_copy(update={"packing": False}), autocast=autocast)


def spent_by(rows: int, recipe: RecipeSpec) -> list[float]:
    """Return the sum of the learning rates up to each step of a training on so many rows."""
    by, steps = trained_by(recipe), steps_for(recipe, rows)
    return list(accumulate(rate_at(step, steps, by) for step in range(steps)))


def full_spent(read: int, recipe: RecipeSpec) -> float:
    """Return the summed learning rate of the full training."""
    return spent_by(read, recipe)[-1]


def measured_at(spent: Sequence[float], points: int) -> list[int]:
    """Return steps (from 1) after which about 1/2^(points - 1), ..., 1/2 and all of the learning rate are spent.

    Where a training is too short to tell them apart, there are fewer. Steps before the first rate above zero are none.
    """
    wanted = [spent[-1] / 2**back for back in range(points - 1, -1, -1)]
    nearest = [min(range(len(spent)), key=lambda at: (abs(spent[at] - share), at)) + 1 for share in wanted[:-1]]
    return [step for step in sorted({*nearest, len(spent)}) if spent[step - 1] > 0 or step == len(spent)]


def passes_of(read: int, recipe: RecipeSpec) -> float:
    """Return how often a training on so many rows goes through them."""
    return steps_for(recipe, read) * recipe.batch / read


def plan_rehearsal(seconds: float, *, row: float, asking: float, rows: int, batch: int, passes: float) -> RehearsalPlan:
    """Return the largest rehearsal that fits into a time.

    Seeds and measurements are kept as long as each student has two batches of rows. Then measurements in between go,
    and then seeds.

    Args:
        seconds: The time.
        row: Seconds that a row takes in training, once.
        asking: Seconds that the panel takes, once.
        rows: There are no more.
        batch: Rows of a step.
        passes: How often a student reads each row, see `passes_of`.

    Raises:
        InputError: not even the smallest one fits.
    """
    least = min(2 * batch, rows)
    for seeds, points in ((SEEDS, POINTS), (SEEDS, 2), (SEEDS, 1), (FEWEST_SEEDS, 2), (FEWEST_SEEDS, 1)):
        left = seconds / (2 * seeds) - points * asking
        fitting = min(int(left / (passes * row)), rows) if left > 0 else 0
        if fitting >= least:
            return RehearsalPlan(fitting - fitting % batch or fitting, seeds, points)
    needed = 2 * FEWEST_SEEDS * (asking + passes * row * least)
    raise InputError(
        f"is too short for a rehearsal: the smallest one takes {needed:.0f} s here, and {max(seconds, 0.0):.0f} s are "
        "left for it",
        "--budget",
        f"Give at least {needed - seconds:.0f} s more for it, or leave --rehearse out.",
    )
