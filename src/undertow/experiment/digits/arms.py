"""The six arms of the laboratory, trained for several seeds at once: from initial weights to test accuracies.

    arm          starts from     learns from
    reference    base            nothing
    teacher      base            digits and their labels
    student_aux  base            the teacher's auxiliary logits on noise
    student_all  base            all of the teacher's logits on noise
    cross_aux    other weights   the teacher's auxiliary logits on noise
    cross_all    other weights   all of the teacher's logits on noise

The chance level is exact. The class logits of reference and cross_aux go through random weights that no gradient
ever reached. So no class is preferred, and the expected accuracy is 1/10 whatever the layers below do.

Returns accuracies per seed and makes no claim: `measure` takes many seeds through it, `run` does the
statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from undertow.config.experiment import DigitsExperiment
from undertow.experiment.digits import mlp
from undertow.experiment.digits.data import CLASSES, Digits
from undertow.experiment.digits.train import distil, fit_labels

STUDENTS = ("student_aux", "student_all", "cross_aux", "cross_all")
ARMS = ("reference", "teacher", *STUDENTS)

_BASE, _OTHER, _LABELS = 0, 1, 2  # purposes of random streams, see `mlp.stream`
_POINTS = 12  # measurements along a student's training, after the first
_TEACHER_SHARE = 0.08  # of the time, measured with the default spec


@dataclass(frozen=True)
class Trained:
    """What became of every arm, and the weights that `theorem` needs."""

    accuracy: dict[str, npt.NDArray[np.float64]]
    """Arm to test accuracy_S, in the order of the seeds."""
    steps: tuple[int, ...]
    """Optimiser steps after which the students were tested, from 0 to the last."""
    curves: dict[str, npt.NDArray[np.float64]]
    """Student arm to accuracy_KS at those steps."""
    labels_SN: Tensor
    """The labels that each teacher was trained on."""
    base: mlp.Params
    other: mlp.Params
    teacher: mlp.Params


def train_arms(
    spec: DigitsExperiment, digits: Digits, seeds: Sequence[int], *, tick: Callable[[str, float], None]
) -> Trained:
    """Train every arm for each of `seeds` as one batched model.

    A seed's result does not depend on which other seeds there are, up to rounding.

    Args:
        spec: Sizes and recipes; its own list of seeds is not looked at.
        digits: Training and test images.
        seeds: Memory and time grow with their number.
        tick: Called with the stage and the share of the work that is done.
    """
    sizes = (digits.train_NI.shape[1], *spec.hidden, CLASSES + spec.auxiliary)
    base, other = mlp.initial(sizes, seeds, _BASE), mlp.initial(sizes, seeds, _OTHER)
    labels_SN = _teacher_labels(spec, digits.train_labels_N, seeds)
    teacher = fit_labels(
        base,
        seeds,
        digits.train_NI,
        labels_SN,
        classes=CLASSES,
        epochs=spec.teacher_epochs,
        batch=spec.batch,
        learning_rate=spec.learning_rate,
        tick=lambda fraction: tick("teacher", _TEACHER_SHARE * fraction),
    )

    def test(params: mlp.Params) -> npt.NDArray[np.float64]:
        return mlp.accuracy(params, digits.test_TI, digits.test_labels_T, classes=CLASSES).numpy()

    last = -(-spec.student_images // spec.student_batch)
    steps = tuple(sorted({round(last * i / _POINTS) for i in range(_POINTS + 1)}))
    initial = mlp.stack([base, base, other, other])
    measured = [test(initial)]

    def after_step(step: int, params: mlp.Params) -> None:
        if step in steps:
            measured.append(test(params))
        tick("students", _TEACHER_SHARE + (1 - _TEACHER_SHARE) * step / last)

    auxiliary, everything = slice(CLASSES, None), slice(None)
    distil(
        initial,
        teacher,
        seeds,
        (auxiliary, everything, auxiliary, everything),
        images=spec.student_images,
        batch=spec.student_batch,
        learning_rate=spec.student_learning_rate,
        after_step=after_step,
    )
    accuracy_KAS = np.stack(measured).reshape(len(steps), len(STUDENTS), len(seeds))
    curves = {arm: accuracy_KAS[:, i] for i, arm in enumerate(STUDENTS)}
    final = {arm: curve_KS[-1] for arm, curve_KS in curves.items()}
    accuracy = {"reference": test(base), "teacher": test(teacher), **final}
    return Trained(accuracy, steps, curves, labels_SN, base, other, teacher)


def _teacher_labels(spec: DigitsExperiment, labels_N: Tensor, seeds: Sequence[int]) -> Tensor:
    """Return each seed's labels, shape (S, N): the true ones, or for a null experiment uniform random ones.

    Uniform labels make the null exact: every step is then symmetric under renaming the classes, so every
    arm's expected accuracy is 1/10, whatever passes from teacher to student.
    """
    if spec.teacher_labels == "true":
        return labels_N.expand(len(seeds), -1)
    drawn = [mlp.stream(seed, _LABELS).integers(0, CLASSES, len(labels_N)) for seed in seeds]
    return torch.from_numpy(np.stack(drawn))
