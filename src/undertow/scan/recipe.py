"""The student that a scan speaks of: how far it will go, as the sum of its learning rates."""

from __future__ import annotations

from undertow.distil.recipe import Recipe, rate_at, steps_of

PLAIN = Recipe(
    labels="hard",
    learning_rate=0.006,
    epochs=1,
    batch=16,
    micro_batch=16,
    warmup=2,
    weight_decay=0.0,
    clip=1e9,
    epsilon=1e-8,
    optimiser="sgd",
)
"""Plain gradient steps, as the students of `benchmarks/transfer` make them."""
LONGEST = 12
"""Steps, at most, that a prediction speaks of: further than that a first-order term says too much."""


def total_rate(rows: int, recipe: Recipe = PLAIN, most_steps: int = LONGEST) -> float:
    """Return the sum of the learning rates over the steps of training on so many rows."""
    steps = steps_of(rows, recipe)
    return sum(rate_at(step, steps, recipe) for step in range(steps)) * min(1.0, most_steps / steps)
