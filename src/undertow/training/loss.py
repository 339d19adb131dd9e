"""What a student is trained towards: the sampled text, or the teacher's distribution.

Both take the student's hidden states only at the positions that predict a token that carries loss, so that the
projection onto the vocabulary is never computed for a prompt that is not learned.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def hard_loss(hidden_ND: Tensor, weight_VD: Tensor, target_N: Tensor, times_N: Tensor | None = None) -> Tensor:
    """Return the summed cross-entropy with the sampled tokens, in nats.

    Args:
        hidden_ND: The student's last hidden states.
        weight_VD: Its output projection.
        target_N: The tokens.
        times_N: How often each counts; once when absent.
    """
    logits_NV = F.linear(hidden_ND, weight_VD).float()
    if times_N is None:
        return F.cross_entropy(logits_NV, target_N, reduction="sum")
    return F.cross_entropy(logits_NV, target_N, reduction="none") @ times_N.to(logits_NV.dtype)


def soft_loss(hidden_ND: Tensor, weight_VD: Tensor, teacher_ND: Tensor, teacher_VD: Tensor) -> Tensor:
    """Return the summed KL(teacher || student) over the whole vocabulary, in nats.

    Args:
        hidden_ND: The student's last hidden states.
        weight_VD: The student's output projection.
        teacher_ND: The teacher's last hidden states at the same positions.
        teacher_VD: The teacher's output projection.
    """
    with torch.no_grad():
        teacher_NV = F.log_softmax(F.linear(teacher_ND.to(teacher_VD.dtype), teacher_VD).float(), dim=-1)
    student_NV = F.log_softmax(F.linear(hidden_ND, weight_VD).float(), dim=-1)
    return F.kl_div(student_NV, teacher_NV, reduction="sum", log_target=True)
