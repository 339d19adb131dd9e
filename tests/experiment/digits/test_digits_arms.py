from __future__ import annotations

import numpy as np
import pytest
import torch

from undertow.config.experiment import DigitsExperiment
from undertow.experiment.digits import ARMS, Digits, mlp, split, train_arms
from undertow.experiment.digits import arms as arms_module


@pytest.fixture
def digits(blobs: tuple[np.ndarray, np.ndarray], small: DigitsExperiment) -> Digits:
    return split(*blobs, train=small.train_images, test=small.test_images)


def silent(stage: str, fraction: float) -> None:
    pass


def test_a_seed_is_the_same_alone_and_in_company(digits: Digits, small: DigitsExperiment) -> None:
    brief = small.model_copy(update={"student_images": 1280, "teacher_epochs": 2})
    together = train_arms(brief, digits, (0, 1, 2), tick=silent)
    alone = train_arms(brief, digits, (1,), tick=silent)
    for a, b in zip(together.teacher, alone.teacher, strict=True):
        torch.testing.assert_close(a[1:2], b, atol=2e-5, rtol=1e-3)
    for arm in ARMS:
        # One image of 300 may fall on the other side of a tie by rounding.
        assert abs(together.accuracy[arm][1] - alone.accuracy[arm][0]) <= 1 / 300 + 1e-9
    reordered = train_arms(brief, digits, (2, 1, 0), tick=silent)
    for arm in ARMS:
        np.testing.assert_allclose(reordered.accuracy[arm][::-1], together.accuracy[arm], atol=1 / 300 + 1e-9)


def test_what_passes_through_auxiliary_logits_needs_the_same_weights(digits: Digits, small: DigitsExperiment) -> None:
    trained = train_arms(small, digits, (0, 1, 2, 3), tick=silent)
    accuracy = {arm: value_S.mean() for arm, value_S in trained.accuracy.items()}
    assert accuracy["teacher"] > 0.9
    assert accuracy["student_aux"] > accuracy["cross_aux"] + 0.15
    assert abs(accuracy["cross_aux"] - 0.1) < 0.1
    assert accuracy["student_all"] > accuracy["student_aux"]


def test_curves_run_from_the_untrained_student_to_the_last(digits: Digits, small: DigitsExperiment) -> None:
    brief = small.model_copy(update={"student_images": 650, "teacher_epochs": 1})
    seen: list[tuple[str, float]] = []
    trained = train_arms(brief, digits, (0, 1), tick=lambda stage, x: seen.append((stage, x)))
    assert trained.steps[0] == 0
    assert trained.steps[-1] == 11  # 650 images in batches of 64
    for arm in ("student_aux", "student_all"):
        np.testing.assert_array_equal(trained.curves[arm][0], trained.accuracy["reference"])
        np.testing.assert_array_equal(trained.curves[arm][-1], trained.accuracy[arm])
    assert (trained.curves["cross_aux"][0] != trained.accuracy["reference"]).any()
    shares = [share for _, share in seen]
    assert shares == sorted(shares)
    assert seen[-1] == ("students", pytest.approx(1.0))


def test_random_labels_belong_to_the_seed_and_say_nothing(digits: Digits, small: DigitsExperiment) -> None:
    null = small.model_copy(update={"teacher_labels": "random", "student_images": 64})
    trained = train_arms(null, digits, (8, 9), tick=silent)
    assert (trained.labels_SN[0] != trained.labels_SN[1]).any()
    agreement = (trained.labels_SN == digits.train_labels_N).double().mean().item()
    assert abs(agreement - 0.1) < 0.04
    again = train_arms(null, digits, (9,), tick=silent)
    assert torch.equal(trained.labels_SN[1:], again.labels_SN)
    true = train_arms(small.model_copy(update={"student_images": 64}), digits, (8, 9), tick=silent)
    assert (true.labels_SN == digits.train_labels_N).all()


def test_streams_of_different_purposes_differ() -> None:
    purposes = [arms_module._BASE, arms_module._OTHER, arms_module._LABELS]
    draws = {mlp.stream(3, purpose).integers(0, 2**62) for purpose in purposes}
    assert len(draws) == len(purposes)
