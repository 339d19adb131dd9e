"""The student that a prediction speaks of: how it is trained, its steps and their learning rates.

    PLAIN, PLAIN_SGD    plain gradient steps, as training takes them and as a recipe file says them
    rates_of            the learning rates of a recipe's steps
    not_plain           why a recipe's steps do not follow the gradients of all weights
    not_modelled        what a virtual student leaves out of a recipe

It knows no rows and no model.
"""

from __future__ import annotations

from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.training.recipe import Recipe, rate_at, recipe_from, steps_of

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
    schedule="ramp",
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


def rates_of(rows: int, recipe: Recipe | RecipeSpec = PLAIN) -> list[float]:
    """Return the learning rates of the steps of training on so many rows, or of the first `LONGEST` ones.

    Plain gradient steps that are cut short come down to zero within `LONGEST` steps, as the benchmark's did. Other
    recipes keep the schedule of the whole training.
    """
    if isinstance(recipe, RecipeSpec):
        if (plain := plain_of(recipe)) is not None:
            return rates_of(rows, plain)
        steps = steps_for(recipe, rows)
        obeyed = recipe_from(recipe, autocast=False)
        return [rate_at(step, steps, obeyed) for step in range(min(steps, LONGEST))]
    steps = min(steps_of(rows, recipe), LONGEST)
    return [rate_at(step, steps, recipe) for step in range(steps)]


def not_plain(recipe: RecipeSpec) -> str:
    """Return why a recipe's steps do not follow the gradients of all weights; empty where they do."""
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
        ("loss on pairs (DPO): the loss is that of the answer that is read of each pair", recipe.loss == "dpo"),
        (f"rows cut at {recipe.most_tokens} tokens: rows are read whole", recipe.most_tokens is not None),
        (f"weights held in {recipe.dtype}: they are held in float32", recipe.dtype == "float16"),
    ]
    if adapter is not None:
        held += [
            (f"{adapter.bits}-bit frozen weights: they are held in float32", adapter.bits is not None),
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
