"""How many optimiser steps a training takes, and how many of them warm up. Training itself counts by these functions.

They are those of transformers' Trainer (5.24): `set_initial_training_values` and `TrainingArguments.get_warmup_steps`,
read in their source.

steps_for(spec, 1000)
"""

from __future__ import annotations

import math

from undertow.config.recipes.spec import RecipeSpec


def steps_for(spec: RecipeSpec, rows: int) -> int:
    """Return the optimiser steps of training on so many rows, or at most so many where rows are packed.

    A number of steps takes the place of the epochs.

    Args:
        spec: The recipe.
        rows: At least 1.
    """
    return spec.most_steps or steps_of_epochs(spec.epochs, rows, spec.batch)


def warmup_for(spec: RecipeSpec, steps: int) -> int:
    """Return the steps of the warm-up among so many steps."""
    return spec.warmup_steps or warmup_share(spec.warmup_ratio, steps)


def steps_of_epochs(epochs: float, rows: int, batch: int) -> int:
    """Return the steps of so many epochs.

    An epoch takes as many steps as batches are needed, the last of which may be smaller. A part of an epoch is rounded
    up. As in transformers, no rounding comes before: 0.55 epochs of 100 steps are 56, for 0.55 is stored a hair larger.

    Args:
        epochs: May be a fraction.
        rows: Or packed sequences.
        batch: Of them in a step.
    """
    return math.ceil(epochs * math.ceil(rows / batch))


def warmup_share(ratio: float, steps: int) -> int:
    """Return the steps of a warm-up that is a share of all steps, rounded up."""
    return math.ceil(steps * ratio)
