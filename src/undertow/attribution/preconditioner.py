"""How far AdamW moves each trained number per unit of its mean gradient: 1 / (sqrt(v) + epsilon).

AdamW divides a mean of gradients by the square root of a mean of their squares (Kingma and Ba 2015, arXiv 1412.6980,
algorithm 1). Near the base the gradients of batches are those at the base. So v is the mean square of the gradients of
a few batches, of the recipe's size and loss, in what the recipe trains. Of one batch v is the gradient's own square,
and a step goes by its sign.

For all weights these are as many numbers as the model has. They lie in a file without a name, which the system reads
and removes, see `undertow.models.temporary_weights`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from undertow.assets.cache import cache_dir
from undertow.attribution.geometry import Geometry, Parts, Place, watched
from undertow.errors import StoreError
from undertow.models.local import LocalModel
from undertow.training.recipe import Recipe
from undertow.training.train import Example, fitted, order_of, step_gradient

BATCHES = 8
"""Whose gradients v is the mean square of, at most."""


def preconditioner(
    model: LocalModel, examples: Sequence[Example], recipe: Recipe, geometry: Geometry, *, seed: int
) -> dict[Place, Parts]:
    """Return the factor of every number that is trained.

    Args:
        model: The base.
        examples: Rows, or a sample of them.
        recipe: Of AdamW.
        geometry: What it trains.
        seed: Fixes which rows share a batch.

    Raises:
        StoreError: there is no room for the factors in the cache folder.
    """
    examples = fitted(examples, recipe)
    rows = len({(at, None) if each.row is None else each.row for at, each in enumerate(examples)})
    batches = order_of(examples, recipe, seed)[: min(BATCHES, -(-rows // recipe.batch))]
    summed: dict[Place, list[Tensor]] = {}
    found: dict[Place, Parts] = {}

    def add(place: Place, gradient: Tensor) -> None:
        parts = geometry.seen(place, gradient)
        if place not in summed:
            summed[place] = [part.clone() for part in parts]
            return
        for own, part in zip(summed[place], parts, strict=True):
            own.add_(part)

    with watched(model.net, geometry, add):
        for batch in batches:
            step_gradient(model.net, [examples[row] for row in batch], recipe)
            for place, parts in summed.items():
                if place not in found:
                    found[place] = tuple(_zeros(part) for part in parts)
                for own, part in zip(found[place], parts, strict=True):
                    own.add_(part.cpu().square_(), alpha=1 / len(batches))
            summed.clear()
    for parts in found.values():
        for part in parts:
            part.sqrt_().add_(recipe.epsilon).reciprocal_()
    return found


def _zeros(like: Tensor) -> Tensor:
    """Return zeros of a shape, in a file that has no name."""
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # open as long as the array lives
        held.write(bytes(4 * like.numel()))
        held.flush()
        array: Any = np.memmap(held, dtype=np.float32, mode="r+", shape=tuple(like.shape))
    except OSError as error:
        raise StoreError(
            f"AdamW's factors cannot be kept ({error.strerror})",
            str(folder),
            "Make room there, or set UNDERTOW_CACHE to another folder.",
        ) from error
    return torch.from_numpy(array)
