"""How far a model's hidden states moved from its base's, along the way that another model's moved.

The states are the outputs of every layer at the last token of a question, where the answer begins. What is kept of them
is three sums for each layer. It does not know which models are teachers, students or controls.

    sums = shift_sums(base_LQD, teacher_LQD, student_LQD)
    sums.dot_L[3] / sums.along_L[3]     the share of the teacher's shift after layer 3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from undertow.models.engine.head import head_of
from undertow.models.engine.network import network_of
from undertow.models.forward import forward_packed
from undertow.models.packing import pack
from undertow.models.protocol import Model

_AT_ONCE = 16
"""Questions in one pass."""


@dataclass(frozen=True)
class ShiftSums:
    """Sums over questions of products of two shifts, one number for each layer."""

    dot_L: list[float]
    """Of the inner product of the two shifts."""
    along_L: list[float]
    """Of the squared length of the shift that is projected on."""
    own_L: list[float]
    """Of the squared length of the model's own shift."""


@torch.inference_mode()
def question_states(model: Model, questions: Sequence[str]) -> Tensor:
    """Return the output of every layer at the last token of each question, (L, Q, D), float32 in main memory."""
    layers, device = tuple(range(len(network_of(model.net).layers))), head_of(model.net).device
    found: list[Tensor] = []
    for start in range(0, len(questions), _AT_ONCE):
        asked = [model.encode_question(each) for each in questions[start : start + _AT_ONCE]]
        packed = pack(asked).to(device)
        kept = forward_packed(model.net, packed, steering=model.steering, keep_layers=layers).layers
        last_Q = torch.stack([path[-1] for path in packed.paths])
        found.append(torch.stack([kept[layer][last_Q].float().cpu() for layer in layers]))
    return torch.cat(found, dim=1)


def shift_sums(base_LQD: Tensor, along_LQD: Tensor, own_LQD: Tensor) -> ShiftSums:
    """Return what a projection and a cosine are made of.

    Args:
        base_LQD: States of the base.
        along_LQD: States of the model whose shift is projected on.
        own_LQD: States of the model whose shift is projected.
    """
    along, own = (along_LQD - base_LQD).double(), (own_LQD - base_LQD).double()
    dot_L, along_L, own_L = (
        (one * other).sum(dim=(1, 2)).tolist() for one, other in ((own, along), (along,) * 2, (own,) * 2)
    )
    return ShiftSums(dot_L, along_L, own_L)
