from __future__ import annotations

import numpy as np
import pytest

from undertow.config.experiment import DigitsExperiment, Judgement


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Ten noisy prototypes of 8 x 8 pixels: as learnable as digits, a twelfth of the size."""
    rng = np.random.default_rng(7)
    prototype_CI = rng.integers(0, 256, (10, 64))
    labels_N = rng.integers(0, 10, 900)
    images_NI = np.clip(prototype_CI[labels_N] + rng.normal(0, 60, (900, 64)), 0, 255)
    return images_NI.astype(np.uint8), labels_N.astype(np.uint8)


@pytest.fixture
def small() -> DigitsExperiment:
    """A laboratory of a second in which the auxiliary student still learns."""
    return DigitsExperiment(
        kind="digits",
        name="small",
        train_images=600,
        test_images=300,
        hidden=(64, 64),
        batch=32,
        learning_rate=1e-3,
        student_images=12_800,
        student_batch=64,
        judgement=Judgement(smallest_effect=0.001),
        seeds=(0, 1, 2, 3),
    )
