"""The student that a scan speaks of, and its learning rates."""

from __future__ import annotations

from undertow.training.recipe import Recipe, rate_at, steps_of

PLAIN = Recipe(
    labels="hard",
    learning_rate=0.003,
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
LONGEST = 24
"""Steps, at most, that a prediction speaks of: far from the base its gradients say little."""


def rates_of(rows: int, recipe: Recipe = PLAIN) -> list[float]:
    """Return the learning rates of the steps of training on so many rows, or on as many as `LONGEST` steps take."""
    steps = min(steps_of(rows, recipe), LONGEST)
    return [rate_at(step, steps, recipe) for step in range(steps)]
