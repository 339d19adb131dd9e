"""What a prediction from gradients alone makes of each part of a recipe, in names, words and numbers.

    tier_of(recipe)          its name in results: "gradient", or "gradient-adapter-adamw" and the like
    no_first_order(recipe)   why there is none for a recipe; empty where there is
    pushes(rows, recipe)     how far the gradient of each step goes in the end
    tier_settings(recipe)    what it does with each part of the recipe
    left_out(recipe)         what it leaves out

The geometry itself is `geometry`'s business. It knows no rows and no model.
"""

from __future__ import annotations

from typing import Literal

from undertow.attribution.recipe import not_modelled, rates_of
from undertow.config.recipes.spec import RecipeSpec

GradientTier = Literal["gradient", "gradient-adapter", "gradient-adamw", "gradient-adapter-adamw"]
"""Plain steps on all weights; steps on an adapter; AdamW's steps, on all weights or on an adapter."""


def tier_of(recipe: RecipeSpec) -> GradientTier:
    """Return the geometry in which gradients are measured for a recipe."""
    adapter, adamw = recipe.adapter is not None, recipe.optimiser == "adamw"
    if adapter:
        return "gradient-adapter-adamw" if adamw else "gradient-adapter"
    return "gradient-adamw" if adamw else "gradient"


def in_words(tier: GradientTier) -> str:
    """Say where gradients are measured; empty for all weights as they are."""
    return {
        "gradient": "",
        "gradient-adapter": "in the adapter's space at its start",
        "gradient-adamw": "preconditioned as AdamW does",
        "gradient-adapter-adamw": "in the adapter's space at its start, preconditioned as AdamW does",
    }[tier]


def no_first_order(recipe: RecipeSpec) -> str:
    """Return why gradients do not predict a recipe's students to first order; empty where they do."""
    if recipe.optimiser == "sgd" and recipe.clip is not None:
        return "clipping shortens its steps by an unknown factor"
    return ""


def pushes(rows: int, recipe: RecipeSpec) -> list[float]:
    """Return how far the gradient of each step goes until the last predicted step.

    Without momentum these are the learning rates. With momentum mu a gradient returns in each later step, mu times
    smaller each time. AdamW averages gradients with weights that add up to 1, so that the sum is that of its rates.

    Args:
        rows: Of the dataset.
        recipe: Of the student.
    """
    found: list[float] = []
    later = 0.0
    for rate in reversed(rates_of(rows, recipe)):
        later = rate + recipe.momentum * later
        found.append(later)
    return found[::-1]


def tier_settings(recipe: RecipeSpec) -> dict[str, str]:
    """Return what the tier does with each part of a recipe, for the settings of results; empty for plain steps."""
    tier = tier_of(recipe)
    if tier == "gradient":
        return {}
    adamw = recipe.optimiser == "adamw"
    found = {"geometry": f"{tier}: gradients {in_words(tier)}"}
    if recipe.adapter is not None:
        scale = "alpha / sqrt(rank)" if recipe.adapter.rank_stabilised else "alpha / rank"
        found["adapter"] = f"scale {scale}; " + (
            "mean over four draws of its start" if adamw else "mean over its start, exact"
        )
    if adamw:
        found["optimiser"] = (
            "1 / (sqrt(v) + epsilon), v the mean square of the gradients of at most eight batches at the base; "
            "betas do not enter"
        )
        found["clipping"] = "none: an AdamW step does not depend on the length of its gradients"
    found["schedule"] = "the sum of the learning rates of the predicted steps" + (
        ", each with what momentum adds later" if recipe.momentum else ""
    )
    found["weight decay"] = (
        "none: the adapter's start adds nothing to the weights"
        if recipe.adapter is not None
        else "none: it moves students of any rows alike"
    )
    found["saturation"] = "none: what many rows have in common is counted in full"
    return found


def left_out(recipe: RecipeSpec) -> list[str]:
    """Return what a recipe holds and a prediction from gradients does not do, in words."""
    adapter, found = recipe.adapter, not_modelled(recipe)
    if tier_of(recipe) == "gradient":
        return found
    if adapter is None:
        return [*found, "embeddings and the output layer, which the recipe trains: gradients are those of the layers"]
    if adapter.modules_to_save:
        found.append(f"modules trained whole ({', '.join(adapter.modules_to_save)}): only adapters are seen")
    if adapter.dropout:
        found.append("the adapter's dropout, which has no effect on mean gradients")
    return [*found, "the tokens of single rows are told by the norms' weights, which an adapter leaves as they are"]
