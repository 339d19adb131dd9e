"""A step of a given length up a gradient, in place: how teachers are made, real ones and virtual ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def step_up(weights: Sequence[Tensor], gradients: Sequence[Tensor], length: float) -> float:
    """Move weights along their gradients, and return the gradients' norm.

    Nothing moves where that is zero or no number, so that there is no direction.

    Args:
        weights: Changed in place.
        gradients: One for each.
        length: Of the step, over all weights together.
    """
    norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(each) for each in gradients])))
    if 0 < norm < float("inf"):
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.add_(gradient, alpha=length / norm)
    return norm
