"""What a student that a prediction trains is made of: all weights or an adapter, plain gradient steps or AdamW.

    with lent_student(model, recipe) as (student, weights):
        optimiser = optimiser_of(weights, recipe)

It knows recipes and weights, and no rows. The model is as it was when the context ends.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from undertow.config.parts import Lora
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.models.local import LocalModel
from undertow.models.temporary_weights import temporary_weights
from undertow.training.lora import add_lora
from undertow.training.recipe import Recipe


@contextmanager
def lent_student(
    model: LocalModel, recipe: Recipe | RecipeSpec
) -> Generator[tuple[LocalModel, list[torch.nn.Parameter]]]:
    """Yield a student that starts as the base is, and the weights that its recipe trains.

    Args:
        model: The base, which is changed in place until the context ends.
        recipe: Of the student. Its seed fixes the adapter's start.
    """
    adapter = recipe.adapter if isinstance(recipe, RecipeSpec) else None
    if adapter is None or not isinstance(recipe, RecipeSpec):
        with temporary_weights(model.net.parameters()) as weights:
            yield model, weights
        return
    wanted = [(weight, weight.requires_grad) for weight in model.net.parameters()]
    net: Any = add_lora(model.net, lora_of(adapter), recipe.seed)
    try:
        yield replace(model, net=net), [weight for weight in net.parameters() if weight.requires_grad]
    finally:
        net.unload()
        model.net.eval()
        for weight, was in wanted:
            weight.requires_grad_(was)


def lora_of(adapter: AdapterSpec) -> Lora:
    """Return an adapter as training takes it; a rank-stabilised scale becomes the alpha that gives the same scale."""
    alpha = adapter.alpha * math.sqrt(adapter.rank) if adapter.rank_stabilised else adapter.alpha
    return Lora.model_construct(rank=adapter.rank, alpha=alpha, dropout=adapter.dropout, layers=adapter.layers)


def optimiser_of(weights: Sequence[torch.nn.Parameter], recipe: Recipe | RecipeSpec) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe; each step sets its own learning rate."""
    if not isinstance(recipe, RecipeSpec):
        return torch.optim.SGD(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(weights, lr=rate, momentum=recipe.momentum, weight_decay=decay)
    return torch.optim.AdamW(weights, lr=rate, betas=recipe.betas, eps=recipe.epsilon, weight_decay=decay)
