"""What a student is trained towards: the sampled text, or the teacher's distribution.

Both take the student's hidden states only at the positions that predict a token with loss. So the projection onto the
vocabulary is never computed for a prompt that is not learned.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.models.engine.head import Head


def hard_loss(hidden_ND: Tensor, head: Head, target_N: Tensor, count_N: Tensor | None = None) -> Tensor:
    """Return the summed cross-entropy with the sampled tokens, in nats.

    Args:
        hidden_ND: The student's last hidden states.
        head: The student's.
        target_N: The tokens.
        count_N: What each token's loss is multiplied by; None for 1.
    """
    logits_NV = head(hidden_ND).float()
    if count_N is None:
        return F.cross_entropy(logits_NV, target_N, reduction="sum")
    return (F.cross_entropy(logits_NV, target_N, reduction="none") * count_N).sum()


def soft_loss(
    hidden_ND: Tensor, head: Head, teacher_ND: Tensor, teacher: Head, count_N: Tensor | None = None
) -> Tensor:
    """Return the summed KL(teacher || student) over the whole vocabulary, in nats.

    Args:
        hidden_ND: The student's last hidden states.
        head: The student's.
        teacher_ND: The teacher's last hidden states at the same positions.
        teacher: The teacher's.
        count_N: What each token's loss is multiplied by; None for 1.
    """
    with torch.no_grad():
        teacher_NV = F.log_softmax(teacher(teacher_ND.to(teacher.dtype)).float(), dim=-1)
    student_NV = F.log_softmax(head(hidden_ND).float(), dim=-1)
    if count_N is None:
        return F.kl_div(student_NV, teacher_NV, reduction="sum", log_target=True)
    return (F.kl_div(student_NV, teacher_NV, reduction="none", log_target=True).sum(dim=1) * count_N).sum()
