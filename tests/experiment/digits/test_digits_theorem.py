from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.experiment.digits import TheoremCheck, check_theorem, mlp
from undertow.experiment.digits.theorem import dot

SIZES = (12, 16, 14)


def checks(seeds: tuple[int, ...], shift: float = 0.0) -> dict[str, TheoremCheck]:
    """Check the theorem for teachers that moved by `shift` in a random direction, labels at random."""
    base, other, direction = (mlp.initial(SIZES, seeds, purpose) for purpose in (0, 1, 99))
    teacher = [p + shift * d for p, d in zip(base, direction, strict=True)]
    rng = np.random.default_rng(0)
    images_NI = torch.from_numpy(rng.uniform(-1, 1, (60, 12)).astype(np.float32))
    labels_SN = torch.from_numpy(rng.integers(0, 10, (len(seeds), 60)))
    return check_theorem(base, other, teacher, seeds, images_NI, labels_SN, classes=10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_a_student_of_the_same_weights_never_steps_away(seed: int) -> None:
    result = checks((seed, seed + 1), shift=1e-4)
    for case in ("step, same", "trained, same"):  # a gradient step, and a small move of any kind
        assert (result[case].inner_S > 0).all()
        assert (result[case].cosine_S > 0).all()
        assert (result[case].cosine_S <= 1).all()
    assert (result["step, same"].loss_change_S < 0).all()


def test_from_other_weights_nothing_is_promised() -> None:
    result = checks(tuple(range(60)))
    same, other = result["step, same"], result["step, other"]
    # Not zero on average: two untrained networks both learn to be less sure, which moves their biases alike.
    assert (other.inner_S < 0).any()
    assert same.cosine_S.mean() > 2 * other.cosine_S.mean()


def test_the_loss_changes_as_the_inner_product_says() -> None:
    # To first order the loss changes by gradient . step; the teacher's change is -1e-3 times that gradient.
    result = checks(tuple(range(5)))["step, same"]
    np.testing.assert_allclose(result.loss_change_S, -result.inner_S / 1e-3, rtol=1e-3)


def test_a_seed_is_checked_alike_alone_and_in_company() -> None:
    together, alone = checks((3, 4)), checks((3,))
    for case, check in alone.items():
        np.testing.assert_allclose(together[case].cosine_S[:1], check.cosine_S, rtol=1e-9)


def test_inner_products_are_per_model() -> None:
    a = [torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), torch.tensor([[[5.0]], [[6.0]]])]
    assert dot(a, a).tolist() == pytest.approx([1 + 4 + 25, 9 + 16 + 36])
