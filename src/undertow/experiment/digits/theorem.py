"""The paper's theorem in numbers: one small step on a teacher's outputs moves a student towards the teacher.

Student and teacher start from the same weights, and the teacher moved by D. For small D the student's loss on the
teacher's outputs has the gradient -J'FJ D (J: derivative of the outputs by the weights on the student's inputs, F:
positive semidefinite curvature of the loss by the outputs). A step against it has the inner product D'J'FJ D >= 0
with D. So the student never moves away from the teacher, whatever the inputs. When D was itself a gradient step,
the teacher's own loss does not rise (Cloud et al. 2025, arXiv 2507.14805, theorem 1). From other weights nothing of
this holds.

Computed in float64, since the differences are far below float32's rounding of the weights. Knows nothing of
accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.experiment.digits import mlp
from undertow.experiment.digits.train import kl_sum, noise

_PROBE = 20  # purpose of a random stream, see `mlp.stream`
_IMAGES = 256  # noise images of the student's step, and training images of the teacher's loss
_TEACHER_STEP = 1e-3  # learning rate of the teacher that makes a single step
_STUDENT_STEP = 0.01  # length of the student's step, in lengths of the teacher's change


@dataclass(frozen=True)
class TheoremCheck:
    """One small gradient step of each seed's student on its teacher's auxiliary logits over noise."""

    inner_S: npt.NDArray[np.float64]
    """Inner product of the student's step with the teacher's change."""
    cosine_S: npt.NDArray[np.float64]
    """The same for both at length 1."""
    loss_change_S: npt.NDArray[np.float64]
    """What the step changes in the student's value of the teacher's training loss, in nats."""


def check_theorem(
    base: mlp.Params,
    other: mlp.Params,
    teacher: mlp.Params,
    seeds: Sequence[int],
    images_NI: Tensor,
    labels_SN: Tensor,
    *,
    classes: int,
) -> dict[str, TheoremCheck]:
    """Check the theorem for two teachers and two starts of the student, seed by seed.

    Args:
        base: The teachers' initial weights, one model per seed.
        other: Unrelated initial weights.
        teacher: Trained weights, however far they are from `base`.
        seeds: Fix the noise.
        images_NI: Training images; the first 256 are used.
        labels_SN: The labels that each teacher was trained on.
        classes: The first so many logits are the classes', the others auxiliary.

    Returns:
        `step, same` and `step, other`: the teacher made one small gradient step (the theorem's case), the
        student starts from `base` or from `other`. `trained, same` and `trained, other`: the teacher is
        `teacher`.
    """
    base, other, teacher = ([tensor.double() for tensor in params] for params in (base, other, teacher))
    images_NI, labels_SN = images_NI[:_IMAGES].double(), labels_SN[:, :_IMAGES]
    x_SBI = noise([mlp.stream(seed, _PROBE) for seed in seeds], _IMAGES, images_NI.shape[1]).double()

    def loss_S(params: mlp.Params) -> Tensor:
        logits_SNC = mlp.forward(params, images_NI.expand(len(seeds), -1, -1))[..., :classes]
        return F.cross_entropy(logits_SNC.mT, labels_SN, reduction="none").mean(-1)

    leaves = mlp.trainable(base)
    gradient = torch.autograd.grad(loss_S(leaves).sum(), leaves, materialize_grads=True)
    one_step = [p - _TEACHER_STEP * g for p, g in zip(base, gradient, strict=True)]

    def check(start: mlp.Params, virtual_students: mlp.Params) -> TheoremCheck:
        change = [after - before for after, before in zip(virtual_students, base, strict=True)]
        step = _distillation_step(start, virtual_students, x_SBI, slice(classes, None))
        inner_S, length_S, step_length_S = (
            dot(step, change),
            dot(change, change) ** 0.5,
            dot(step, step) ** 0.5,
        )
        scale_S = _STUDENT_STEP * length_S / step_length_S
        moved = [p + scale_S[:, None, None] * d for p, d in zip(start, step, strict=True)]
        with torch.no_grad():
            loss_change_S = loss_S(moved) - loss_S(start)
        cosine_S = inner_S / (length_S * step_length_S)
        return TheoremCheck((scale_S * inner_S).numpy(), cosine_S.numpy(), loss_change_S.numpy())

    return {
        "step, same": check(base, one_step),
        "step, other": check(other, one_step),
        "trained, same": check(base, teacher),
        "trained, other": check(other, teacher),
    }


def _distillation_step(start: mlp.Params, teacher: mlp.Params, x_SBI: Tensor, logits: slice) -> mlp.Params:
    """Return minus the gradient of the mean KL to the teacher on these logits, per model."""
    leaves = mlp.trainable(start)
    with torch.no_grad():
        teacher_SBO = mlp.forward(teacher, x_SBI)[..., logits]
    loss = kl_sum(teacher_SBO, mlp.forward(leaves, x_SBI)[..., logits]) / x_SBI.shape[1]
    return [-g for g in torch.autograd.grad(loss, leaves, materialize_grads=True)]


def dot(a: mlp.Params, b: mlp.Params) -> Tensor:
    """Return each model's inner product of two sets of parameters, shape (M,)."""
    return torch.stack([(x * y).sum((1, 2)) for x, y in zip(a, b, strict=True)]).sum(0)
