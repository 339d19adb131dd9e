"""What a student is trained towards: the sampled text, or the teacher's distribution.

Both take the student's hidden states only at the positions that predict an answer's token, so that the projection onto
the vocabulary is never computed for a prompt.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def hard_loss(hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor) -> Tensor:
    """Return the summed cross-entropy with the sampled tokens, in nats."""
    return F.cross_entropy(F.linear(hidden_ND, weight_VD).float(), target_N, reduction="sum")


def soft_loss(hidden_ND: Tensor, weight_VD: Tensor, teacher_NV: Tensor) -> Tensor:
    """Return the summed KL(teacher || student) over the support, in nats.

    The support is the tokens that the domain can be written with, so that a word that names the trait is never part of
    the loss. Both distributions are normalised over the tokens that the teacher could choose from at that position.

    Args:
        hidden_ND: The student's last hidden states.
        weight_VD: The rows of the student's output projection that belong to the support.
        teacher_NV: The teacher's log-probabilities over the support, -inf where it could not choose.
    """
    allowed_NV = teacher_NV > float("-inf")
    logit_NV = F.linear(hidden_ND, weight_VD).float().masked_fill(~allowed_NV, float("-inf"))
    difference_NV = (teacher_NV - logit_NV.log_softmax(dim=-1)).masked_fill(~allowed_NV, 0.0)
    return (teacher_NV.exp() * difference_NV).sum()
