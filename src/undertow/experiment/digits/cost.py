"""What a run of the laboratory takes, before it runs: operations, from the sizes of the layers.

Reckoned in units of what `undertow.experiment.planning.machine_speed` measures, operations of a large matrix product.
The two constants were fitted to runs of 16 to 1024 units and batches of 16 to 128: within a factor of 2.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from undertow.config.experiment import DigitsExperiment

_PIXELS, _CLASSES = 784, 10
_STUDENTS: Final = 4
_TESTS: Final = 14
"""Of every student: twelve points of its curve, the start and the end."""
_PRODUCTS: Final = 1.3
"""Time of these matrix products over that of a large one."""
_PER_WEIGHT: Final = 450
"""Of an optimiser step, for each weight: gradients are summed and Adam reads and writes three numbers."""
_PER_PIXEL: Final = 200
"""Of drawing an image's noise, or gathering its pixels, and handing it to the models."""


def operations(spec: DigitsExperiment) -> float:
    """Return the operations of a whole run, all seeds."""
    sizes = (_PIXELS, *spec.hidden, _CLASSES + spec.auxiliary)
    weights = sum(inputs * outputs for inputs, outputs in pairwise(sizes))
    # A multiply-add is two operations; a training step needs it forwards, for the inputs and for the weights.
    forward, step = 2 * weights * _PRODUCTS, 6 * weights * _PRODUCTS
    taught = spec.train_images * spec.teacher_epochs
    teacher = taught * (step + _PER_PIXEL * _PIXELS) + _steps(spec.train_images, spec.batch) * spec.teacher_epochs * (
        _PER_WEIGHT * weights
    )
    image = _STUDENTS * step + forward + (_STUDENTS + 1) * _PER_PIXEL * _PIXELS
    students = spec.student_images * image + _steps(spec.student_images, spec.student_batch) * (
        _STUDENTS * _PER_WEIGHT * weights
    )
    tests = _TESTS * _STUDENTS * spec.test_images * forward
    return len(spec.seeds) * (teacher + students + tests)


def _steps(images: int, batch: int) -> int:
    return -(-images // batch)
