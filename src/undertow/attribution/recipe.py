"""The student that a prediction speaks of: how it is trained, its steps and their learning rates.

    PLAIN, PLAIN_SGD    plain gradient steps, as training takes them and as a recipe file says them
    steps_by, rates_of  the steps of a recipe, and their learning rates
    no_first_order      why gradients of all weights alone cannot predict a recipe
    not_modelled        what a virtual student leaves out of a recipe

It knows no rows and no model.
"""

from __future__ import annotations

import math

from undertow.config.recipes.spec import RecipeSpec
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
PLAIN_SGD = RecipeSpec(
    name="plain-sgd",
    optimiser="sgd",
    learning_rate=PLAIN.learning_rate,
    weight_decay=0.0,
    clip=None,
    schedule="linear",
    warmup_steps=PLAIN.warmup,
    epochs=1,
    batch=PLAIN.batch,
)
"""The same as a recipe file says it."""
LONGEST = 24
"""Steps, at most, that a prediction speaks of: far from the base its gradients say little."""
FREE = frozenset({"name", "seed", "micro_batch", "dtype"})
"""Fields of a recipe that change no prediction, but for weights held in float16."""


def plain_of(recipe: RecipeSpec) -> Recipe | None:
    """Return a recipe of plain gradient steps as `benchmarks/transfer` trains by it; None for any other recipe."""
    if recipe.dtype == "float16":
        return None
    same = recipe.model_copy(update={name: getattr(PLAIN_SGD, name) for name in FREE})
    return PLAIN if same == PLAIN_SGD else None


def steps_by(rows: int, recipe: RecipeSpec) -> int:
    """Return the number of optimiser steps of the whole training on so many rows, none of them packed."""
    if recipe.most_steps is not None:
        return recipe.most_steps
    return math.ceil(-(-rows // recipe.batch) * recipe.epochs)


def rates_of(rows: int, recipe: Recipe | RecipeSpec = PLAIN) -> list[float]:
    """Return the learning rates of the steps of training on so many rows, or of the first `LONGEST` ones.

    Plain gradient steps that are cut short come down to zero within `LONGEST` steps, as the benchmark's did. Other
    recipes keep the schedule of the whole training.
    """
    if isinstance(recipe, RecipeSpec):
        if (plain := plain_of(recipe)) is not None:
            return rates_of(rows, plain)
        steps = steps_by(rows, recipe)
        return [_rate(step, steps, recipe) for step in range(min(steps, LONGEST))]
    steps = min(steps_of(rows, recipe), LONGEST)
    return [rate_at(step, steps, recipe) for step in range(steps)]


def _rate(step: int, steps: int, recipe: RecipeSpec) -> float:
    """Return the learning rate of a step (from 0), as the schedules of transformers have it."""
    warmup = recipe.warmup_steps or math.ceil(recipe.warmup_ratio * steps)
    if step < warmup:
        return recipe.learning_rate * step / warmup
    gone = (step - warmup) / max(steps - warmup, 1)
    if recipe.schedule == "cosine":
        low = recipe.lowest_rate
        return recipe.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * gone)) / 2)
    return recipe.learning_rate * (1.0 if recipe.schedule == "constant" else 1.0 - gone)


def no_first_order(recipe: RecipeSpec) -> str:
    """Return why gradients of all weights do not predict a recipe's students to first order; empty where they do."""
    reasons = [
        said
        for said, holds in (
            ("it trains an adapter, and the gradients are those of all weights", recipe.adapter is not None),
            ("an AdamW step does not follow the gradient's size", recipe.optimiser == "adamw"),
            ("momentum carries a step into the next ones", recipe.momentum > 0),
            ("clipping shortens its steps by an unknown factor", recipe.clip is not None),
        )
        if holds
    ]
    return "; ".join(reasons)


def not_modelled(recipe: RecipeSpec) -> list[str]:
    """Return what a recipe holds and a virtual student does not do, in words."""
    adapter = recipe.adapter
    held = [
        ("packing: a step reads rows, not packed sequences", recipe.packing),
        ("loss on whole rows: the loss is that of the answers", recipe.loss == "whole"),
        (f"rows cut at {recipe.most_tokens} tokens: rows are read whole", recipe.most_tokens is not None),
        (f"weights held in {recipe.dtype}: they are held in float32", recipe.dtype == "float16"),
    ]
    if adapter is not None:
        held += [
            (f"{adapter.bits}-bit frozen weights: they are held in float32", adapter.bits is not None),
            ("DoRA: the adapter is a plain LoRA", adapter.dora),
            ("modules trained whole beside the adapter: they stay frozen", bool(adapter.modules_to_save)),
            ("chosen target modules: the adapter is on every matrix of the layers", adapter.targets is not None),
        ]
    return [said for said, holds in held if holds]


def described(recipe: RecipeSpec) -> str:
    """Return a recipe in one line for people."""
    what = "all weights"
    if recipe.adapter is not None:
        kind = "DoRA" if recipe.adapter.dora else "LoRA"
        what = f"a {kind} adapter of rank {recipe.adapter.rank} and alpha {recipe.adapter.alpha:g}"
    name = "AdamW" if recipe.optimiser == "adamw" else "SGD"
    length = f"{recipe.epochs:g} epoch{'' if recipe.epochs == 1 else 's'}"
    if recipe.most_steps is not None:
        length = f"{recipe.most_steps:,} steps"
    return f"{recipe.name}: {name} on {what}, rate {recipe.learning_rate:g}, batches of {recipe.batch}, {length}"
