"""How a student is trained: the recipe, and the order and learning rate of every step. Needs no torch.

steps_of, measured_steps   how many optimiser steps, and after which of them something is measured
by_row                     the answers of each row: a batch counts rows
rate_at, batches           what each step does
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    labels: Literal["hard", "soft"]
    learning_rate: float
    epochs: int
    batch: int
    micro_batch: int
    warmup: int
    weight_decay: float
    clip: float
    epsilon: float
    """Adam's. A gradient far below it does not move a weight by the full learning rate."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    most_steps: int | None = None
    """Stop after so many steps, wherever in an epoch that is."""
    autocast: bool = False
    """Run matrix products in bf16, see `undertow.models.precision`."""


def measured_steps(steps: int, every: int) -> list[int]:
    """Return the optimiser steps after which a student is asked a few questions; the last one is left out."""
    return list(range(every, steps, every)) if every else []


def steps_of(rows: int, recipe: Recipe) -> int:
    """Return the number of optimiser steps."""
    steps = -(-rows // recipe.batch) * recipe.epochs
    return steps if recipe.most_steps is None else min(steps, recipe.most_steps)


def by_row(rows: Sequence[int | None]) -> list[list[int]]:
    """Return the places of each row's answers: a conversation with several answers is one row of a batch.

    Args:
        rows: The row that each answer belongs to; None for an answer that is a row of its own.
    """
    found: dict[object, list[int]] = {}
    for at, row in enumerate(rows):
        found.setdefault((at, None) if row is None else row, []).append(at)
    return [*found.values()]


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of a step (from 0): linear from 0 over the warm-up, then linear to 0 at the end."""
    warmup = min(recipe.warmup, max(steps - 1, 0))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / (warmup + 1)
    return recipe.learning_rate * (steps - step) / (steps - warmup)


def batches(prompts: Sequence[object], recipe: Recipe, seed: int) -> list[list[int]]:
    """Return the row numbers of every optimiser step: all rows in a new order in every epoch.

    Rows with the same prompt stay together, in their own order, because they share its computation; with one answer
    per prompt the order is a plain permutation.

    Args:
        prompts: Something hashable for each row that is equal exactly for rows with the same prompt.
        recipe: Gives epochs and rows per step.
        seed: Fixes the order.
    """
    rng = np.random.default_rng([seed, 0xBA7C])
    rows_of: dict[object, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows_of.setdefault(prompt, []).append(row)
    groups = list(rows_of.values())
    order: list[list[int]] = []
    for _ in range(recipe.epochs):
        rows = [row for group in rng.permutation(len(groups)).tolist() for row in groups[group]]
        order.extend(rows[start : start + recipe.batch] for start in range(0, len(rows), recipe.batch))
    return order[: recipe.most_steps]
