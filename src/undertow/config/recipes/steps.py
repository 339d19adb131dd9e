"""How many optimiser steps a recipe takes.

steps_for(spec, 1000)
"""

from __future__ import annotations

import math

from undertow.config.recipes.spec import RecipeSpec


def steps_for(spec: RecipeSpec, rows: int) -> int:
    """Return the optimiser steps of training on so many rows, or at most so many where rows are packed.

    An epoch takes as many steps as batches are needed, the last of which may be smaller; a part of an epoch is rounded
    up, as transformers' trainer does. A number of steps takes the place of the epochs.

    Args:
        spec: The recipe.
        rows: At least 1.
    """
    if spec.most_steps is not None:
        return spec.most_steps
    # Rounding first keeps 0.1 epochs of 10 steps from becoming 2 by a hair.
    return max(1, math.ceil(round(spec.epochs * math.ceil(rows / spec.batch), 6)))


def warmup_for(spec: RecipeSpec, steps: int) -> int:
    """Return the steps of the warm-up among so many steps."""
    return spec.warmup_steps or math.ceil(round(spec.warmup_ratio * steps, 6))
