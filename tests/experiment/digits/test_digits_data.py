from __future__ import annotations

import numpy as np
import pytest
import torch

from undertow.errors import InputError
from undertow.experiment.digits import split


def test_training_and_test_images_are_disjoint_and_keep_their_labels() -> None:
    images_NI = np.arange(200)[:, None] * np.ones((1, 3), np.uint8)
    labels_N = np.arange(200) % 10
    digits = split(images_NI, labels_N, train=150, test=40)

    def original(x_NI: torch.Tensor) -> np.ndarray:
        return ((x_NI[:, 0] + 1) * 127.5).round().int().numpy()

    train, test = original(digits.train_NI), original(digits.test_TI)
    assert (len(train), len(test)) == (150, 40)
    assert not set(train) & set(test)
    assert (digits.train_labels_N.numpy() == train % 10).all()
    assert (digits.test_labels_T.numpy() == test % 10).all()


def test_pixels_span_the_range_of_the_noise_and_sorted_classes_are_mixed() -> None:
    labels_N = np.repeat(np.arange(10), 50)
    images_NI = np.tile(np.array([0, 255], np.uint8), (500, 1))
    digits = split(images_NI, labels_N, train=400, test=100)
    assert digits.train_NI.min() == -1
    assert digits.train_NI.max() == 1
    assert len(digits.test_labels_T.unique()) == 10


def test_more_training_images_leave_the_test_images_alone() -> None:
    rng = np.random.default_rng(0)
    images_NI, labels_N = rng.integers(0, 256, (300, 4)), rng.integers(0, 10, 300)
    few = split(images_NI, labels_N, train=50, test=100)
    many = split(images_NI, labels_N, train=200, test=100)
    assert torch.equal(few.test_TI, many.test_TI)
    assert torch.equal(few.train_NI, many.train_NI[:50])


@pytest.mark.parametrize(
    ("images", "labels", "train", "message"),
    [
        (np.zeros((10, 4)), np.zeros(9), 1, "do not go with labels"),
        (np.zeros(10), np.zeros(10), 1, "do not go with labels"),
        (np.zeros((10, 4)), np.zeros(10), 6, "10 images are too few for 6 to train on and 5"),
        (np.full((10, 4), 256), np.zeros(10), 1, "pixels run from 256 to 256"),
        (np.full((10, 4), np.nan), np.zeros(10), 1, "pixels run from nan"),
        (np.zeros((10, 4)), np.full(10, 10), 1, "labels run from 10 to 10"),
        (np.zeros((10, 4)), np.full(10, -1), 1, "labels run from -1"),
    ],
)
def test_unusable_data_are_refused(images: np.ndarray, labels: np.ndarray, train: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(images, labels, train=train, test=5)
