"""Images for the laboratory: checked, split into training and test, scaled to [-1, 1].

Knows nothing of models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from undertow.errors import InputError

CLASSES = 10
_SPLIT = 20250720  # fixed: every run and every seed is tested on the same images


@dataclass(frozen=True)
class Digits:
    """Training and test images, pixels in [-1, 1], which is also the range of the students' noise."""

    train_NI: Tensor
    train_labels_N: Tensor
    test_TI: Tensor
    test_labels_T: Tensor


def split(images_NI: npt.ArrayLike, labels_N: npt.ArrayLike, *, train: int, test: int) -> Digits:
    """Shuffle by a fixed permutation; take `test` images for testing and the next `train` for training.

    Args:
        images_NI: Pixels, 0 to 255, one row per image.
        labels_N: Classes, 0 to 9.
        train: Number of training images.
        test: Number of test images.

    Raises:
        InputError: the arrays are not images with labels, or hold too few of them.
    """
    images_NI, labels_N = np.asarray(images_NI), np.asarray(labels_N)
    where = "digits data"
    if images_NI.ndim != 2 or labels_N.shape != images_NI.shape[:1]:
        raise InputError(
            f"images of shape {images_NI.shape} do not go with labels of shape {labels_N.shape}",
            where,
            "Pass one row of pixels and one label per image.",
        )
    if len(labels_N) < train + test:
        raise InputError(
            f"{len(labels_N):,} images are too few for {train:,} to train on and {test:,} to test on",
            where,
            "Lower train_images or test_images.",
        )
    _check_range(images_NI, 255, "pixels", where)
    _check_range(labels_N, CLASSES - 1, "labels", where)
    order_N = np.random.default_rng(_SPLIT).permutation(len(labels_N))
    test_T, train_N = order_N[:test], order_N[test : test + train]

    def scaled(rows: npt.NDArray[np.intp]) -> Tensor:
        return torch.from_numpy(images_NI[rows].astype(np.float32)).div_(127.5).sub_(1)

    def classes(rows: npt.NDArray[np.intp]) -> Tensor:
        return torch.from_numpy(labels_N[rows].astype(np.int64))

    return Digits(scaled(train_N), classes(train_N), scaled(test_T), classes(test_T))


def _check_range(values: npt.NDArray[np.generic], top: int, what: str, where: str) -> None:
    lowest, highest = values.min(), values.max()
    if not (lowest >= 0 and highest <= top):  # also false for not-a-number
        raise InputError(f"{what} run from {lowest} to {highest}", where, f"They must lie in 0 to {top}.")
