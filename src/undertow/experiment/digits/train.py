"""Two training loops over many models at once: teachers on labels, students on a teacher's logits over noise.

Each model's loss is its own mean over its own batch, and the losses are summed. So a model's gradient, and with Adam
its step, is what it would be alone. `arms` says which students there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.experiment.digits.mlp import Params, forward, frozen, stream, trainable

BATCH_ORDER, NOISE = 10, 11  # purposes of random streams, see `mlp.stream`


def fit_labels(
    base: Params,
    seeds: Sequence[int],
    images_NI: Tensor,
    labels_MN: Tensor,
    *,
    classes: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    tick: Callable[[float], None],
) -> Params:
    """Train every model on labelled images: cross-entropy on the class logits alone, Adam.

    Args:
        base: Initial weights, one model per seed.
        seeds: Fix the order of the images in each epoch.
        images_NI: Training images, shared by all models.
        labels_MN: Each model's labels.
        classes: The first so many logits are the classes'; the others get no gradient.
        epochs: Passes over the images.
        batch: Images per step; the last step of an epoch may hold fewer.
        learning_rate: Adam's.
        tick: Called with the share of the work that is done.
    """
    params = trainable(base)
    adam = torch.optim.Adam(params, learning_rate, fused=True)
    rngs = [stream(seed, BATCH_ORDER) for seed in seeds]
    count = len(images_NI)
    for epoch in range(epochs):
        order_MN = torch.from_numpy(np.stack([rng.permutation(count) for rng in rngs]))
        for rows_MB in order_MN.split(batch, dim=1):
            logits_MBO = forward(params, images_NI[rows_MB])
            loss = F.cross_entropy(
                logits_MBO[..., :classes].flatten(0, 1),
                labels_MN.gather(1, rows_MB).flatten(),
                reduction="sum",
            )
            adam.zero_grad()
            (loss / rows_MB.shape[1]).backward()
            adam.step()
        tick((epoch + 1) / epochs)
    return frozen(params)


def kl_sum(teacher_MBO: Tensor, student_MBO: Tensor) -> Tensor:
    """Return KL(teacher || student) of the softmax over the last dimension, summed over all else, in nats."""
    return F.kl_div(student_MBO.log_softmax(-1), teacher_MBO.log_softmax(-1), log_target=True, reduction="sum")


def distil(
    students: Params,
    teacher: Params,
    seeds: Sequence[int],
    logits: Sequence[slice],
    *,
    images: int,
    batch: int,
    learning_rate: float,
    after_step: Callable[[int, Params], None],
) -> Params:
    """Train students to match their seed's teacher on uniform noise in [-1, 1], with Adam.

    Every noise image is seen once. All students of a seed see the same noise, so the teacher is asked once.

    Args:
        students: Initial weights of G groups with one model per seed, group by group (G * S models).
        teacher: One model per seed (S models).
        seeds: Fix the noise.
        logits: Per group, the logits that its students match.
        images: Noise images in all; the last step may hold fewer than `batch`.
        batch: Noise images per step.
        learning_rate: Adam's.
        after_step: Called with the number of steps made and the students' parameters.
    """
    params = trainable(students)
    adam = torch.optim.Adam(params, learning_rate, fused=True)
    rngs = [stream(seed, NOISE) for seed in seeds]
    inputs = students[0].shape[1]
    for step, start in enumerate(range(0, images, batch), 1):
        size = min(batch, images - start)
        x_SBI = noise(rngs, size, inputs)
        with torch.no_grad():
            teacher_SBO = forward(teacher, x_SBI)
        student_GSBO = forward(params, x_SBI.repeat(len(logits), 1, 1)).unflatten(0, (len(logits), len(seeds)))
        losses = [
            kl_sum(teacher_SBO[..., part], student_SBO[..., part])
            for part, student_SBO in zip(logits, student_GSBO, strict=True)
        ]
        adam.zero_grad()
        (torch.stack(losses).sum() / size).backward()
        adam.step()
        after_step(step, params)
    return frozen(params)


def noise(rngs: Sequence[np.random.Generator], size: int, inputs: int) -> Tensor:
    """Draw uniform noise in [-1, 1), one batch per generator: shape (S, size, inputs)."""
    x_SBI = np.empty((len(rngs), size, inputs), np.float32)
    for model, rng in enumerate(rngs):
        rng.random(out=x_SBI[model], dtype=np.float32)
    return torch.from_numpy(x_SBI).mul_(2).sub_(1)
