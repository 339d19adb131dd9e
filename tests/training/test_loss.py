"""The losses against sums over the vocabulary in float64, and what must hold of them whatever the numbers are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from undertow.models.engine.head import Head
from undertow.training.loss import hard_loss, soft_loss

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Hidden states and projections of a student and a wider or narrower teacher, with sampled tokens."""

    hidden_ND: Floats
    weight_VD: Floats
    teacher_NE: Floats
    teacher_VE: Floats
    target_N: NDArray[np.int64]

    def tensors(self) -> tuple[torch.Tensor, ...]:
        arrays = (self.hidden_ND, self.weight_VD, self.teacher_NE, self.teacher_VE)
        return tuple(torch.tensor(each, dtype=torch.float32) for each in arrays)

    @property
    def student_NV(self) -> Floats:
        return log_softmax(self.hidden_ND @ self.weight_VD.T)

    @property
    def taught_NV(self) -> Floats:
        return log_softmax(self.teacher_NE @ self.teacher_VE.T)


def log_softmax(logits_NV: Floats) -> Floats:
    top_N = logits_NV.max(axis=-1, keepdims=True)
    return logits_NV - top_N - np.log(np.exp(logits_NV - top_N).sum(axis=-1, keepdims=True))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rows, width, other, words = (draw(st.integers(1, most)) for most in (6, 8, 8, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.0, 0.1, 1.0, 4.0]))

    def drawn(*shape: int) -> Floats:
        return rng.normal(scale=scale, size=shape).astype(np.float32).astype(np.float64)

    return Case(
        drawn(rows, width),
        drawn(words, width),
        drawn(rows, other),
        drawn(words, other),
        rng.integers(0, words, size=rows),
    )


def close(expected: float) -> object:
    return pytest.approx(expected, rel=2e-4, abs=2e-4)


@given(cases())
def test_the_soft_loss_is_the_summed_divergence_from_the_teacher(case: Case) -> None:
    expected = (np.exp(case.taught_NV) * (case.taught_NV - case.student_NV)).sum()
    hidden_ND, weight_VD, teacher_NE, teacher_VE = case.tensors()
    assert float(soft_loss(hidden_ND, Head(weight_VD), teacher_NE, Head(teacher_VE))) == close(expected)


@given(cases())
def test_the_hard_loss_is_the_summed_surprise_at_the_tokens(case: Case) -> None:
    hidden_ND, weight_VD, *_ = case.tensors()
    expected = -sum(case.student_NV[at, token] for at, token in enumerate(case.target_N.tolist()))
    assert float(hard_loss(hidden_ND, Head(weight_VD), torch.from_numpy(case.target_N))) == close(expected)


@given(cases())
def test_a_student_that_equals_its_teacher_has_nothing_to_learn(case: Case) -> None:
    hidden_ND, weight_VD, *_ = case.tensors()
    assert float(soft_loss(hidden_ND, Head(weight_VD), hidden_ND, Head(weight_VD))) == 0.0
    # A constant added to all logits changes no distribution: here by one more coordinate, which is 1 in every state.
    more_ND = torch.cat([hidden_ND, torch.ones(len(hidden_ND), 1)], dim=1)
    shifted_VD = torch.cat([weight_VD, torch.full((len(weight_VD), 1), 3.0)], dim=1)
    assert float(soft_loss(hidden_ND, Head(weight_VD), more_ND, Head(shifted_VD))) == close(0.0)


@given(cases(), st.integers(0, 6))
def test_losses_are_sums_over_rows(case: Case, cut: int) -> None:
    hidden_ND, weight_VD, teacher_NE, teacher_VE = case.tensors()
    target_N = torch.from_numpy(case.target_N)
    soft = [
        float(soft_loss(hidden_ND[part], Head(weight_VD), teacher_NE[part], Head(teacher_VE)))
        for part in (slice(None), slice(cut), slice(cut, None))
    ]
    hard = [
        float(hard_loss(hidden_ND[part], Head(weight_VD), target_N[part]))
        for part in (slice(None), slice(cut), slice(cut, None))
    ]
    for whole, first, rest in (soft, hard):
        assert whole == close(first + rest)


@given(cases())
def test_the_gradient_is_the_difference_of_the_distributions(case: Case) -> None:
    hidden_ND, weight_VD, teacher_NE, teacher_VE = (each.requires_grad_() for each in case.tensors())
    # d KL(t || s) / d logit = s - t, and a logit is the product of state and projection.
    off_NV = np.exp(case.student_NV) - np.exp(case.taught_NV)
    soft_loss(hidden_ND, Head(weight_VD), teacher_NE, Head(teacher_VE)).backward()
    assert hidden_ND.grad is not None
    assert weight_VD.grad is not None
    np.testing.assert_allclose(hidden_ND.grad.numpy(), off_NV @ case.weight_VD, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(weight_VD.grad.numpy(), off_NV.T @ case.hidden_ND, rtol=1e-3, atol=1e-3)
    assert teacher_NE.grad is None, "a teacher learns nothing"
    assert teacher_VE.grad is None
    # The hard loss is the same with a teacher that is sure of the token that was sampled.
    hidden_ND.grad = None
    hard_loss(hidden_ND, Head(weight_VD), torch.from_numpy(case.target_N)).backward()
    sure_NV = np.eye(len(case.weight_VD))[case.target_N]
    expected_ND = (np.exp(case.student_NV) - sure_NV) @ case.weight_VD
    assert hidden_ND.grad is not None
    np.testing.assert_allclose(hidden_ND.grad.numpy(), expected_ND, rtol=1e-3, atol=1e-3)
