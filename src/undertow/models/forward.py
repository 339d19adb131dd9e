"""The forward pass over packed sequences, by whichever pass computes the model (see `engine.selection`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from undertow.models.engine.generic import forward_generic
from undertow.models.engine.selection import pass_of
from undertow.models.fast import forward_fast
from undertow.models.layers import Steering
from undertow.models.packing import Packed


@dataclass(frozen=True)
class Hidden:
    """What a forward pass over a pack computed."""

    hidden_ND: Tensor
    """After the last norm."""
    layers: dict[int, Tensor]
    """Outputs (N, D) of the layers that were asked for."""
    grid: Packed | None = None
    """The pack whose rows the modules saw as a batch (B, L); None where they saw its nodes, one after the other."""


def forward_packed(
    model: Any,
    packed: Packed,
    *,
    steering: Steering | None = None,
    keep_layers: tuple[int, ...] = (),
) -> Hidden:
    """Compute the hidden states of every node of a pack.

    Args:
        model: A causal language model.
        packed: The sequences.
        steering: Vectors to add.
        keep_layers: Layers whose outputs to return as well.
    """
    name = pass_of(model)
    if name == "fast":
        return Hidden(*forward_fast(model, packed, steering=steering, keep_layers=keep_layers))
    found = forward_generic(model, packed, rows=name == "rows", steering=steering, keep_layers=keep_layers)
    return Hidden(*found)
