"""What a student is trained towards: the sampled text, the teacher's distribution, or the better of two answers.

All take the student's hidden states only at the positions that predict a token with loss. So the projection onto the
vocabulary is never computed for a prompt that is not learned.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def pair_loss(
    hidden_ND: Tensor,
    head: Head,
    target_N: Tensor,
    lengths: Sequence[int],
    reference_P2: Tensor,
    *,
    beta: float,
    weight_P: Tensor | None = None,
) -> Tensor:
    """Return the summed loss of direct preference optimisation, in nats.

    It is -log sigmoid(beta (g_chosen - g_rejected)), where an answer's gain g is its log-probability less the
    reference's (Rafailov et al. 2023, arXiv 2305.18290, equation 7). The projection keeps the weights' precision under
    autocast: a gain is a small difference of large sums.

    Args:
        hidden_ND: The student's last hidden states at the tokens of both answers, pair by pair, the chosen one first.
        head: The student's.
        target_N: The tokens.
        lengths: Tokens of each answer, in the same order.
        reference_P2: Log-probabilities of both answers under the reference, in nats.
        beta: How strongly the student is held to the reference.
        weight_P: What each pair's loss is multiplied by; None for 1.
    """
    with torch.autocast(hidden_ND.device.type, enabled=False):
        logits_NV = head(hidden_ND.to(head.dtype)).float()
    logp_N = -F.cross_entropy(logits_NV, target_N, reduction="none")
    owner_N = torch.arange(len(lengths), device=logp_N.device).repeat_interleave(
        torch.tensor(lengths, device=logp_N.device)
    )
    logp_P2 = logp_N.new_zeros(len(lengths)).index_add(0, owner_N, logp_N).view(-1, 2)
    gain_P2 = logp_P2 - reference_P2
    loss_P = -F.logsigmoid(beta * (gain_P2[:, 0] - gain_P2[:, 1]))
    return loss_P.sum() if weight_P is None else (loss_P * weight_P).sum()
