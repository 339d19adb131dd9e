"""Predicted shifts: intervals cover, p-values are uniform where nothing is there, pairing by prompt is used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution.prediction import Calibration, Side, predicted_shifts, row_weights
from undertow.attribution.recipe import LONGEST, PLAIN, rates_of
from undertow.training.recipe import rate_at, steps_of


def side(alignment_RK, tokens_R, cluster_R) -> Side:
    """Rows that a student with a whole learning rate of 1 takes up in full."""
    return Side(alignment_RK, tokens_R, cluster_R, np.full(len(tokens_R), 1 / tokens_R.sum()))


def drawn(rng: np.random.Generator, prompts: int, mean: float, *, noise: float = 1.0) -> Side:
    """Rows in pairs that share their prompt and part of their noise."""
    cluster_R = np.repeat(np.arange(prompts), 2)
    tokens_R = rng.integers(20, 40, size=2 * prompts).astype(float)
    shared = np.repeat(rng.normal(scale=noise, size=prompts), 2)
    own = rng.normal(scale=noise, size=2 * prompts)
    return side((mean * tokens_R + shared * 5 + own * 5)[:, None], tokens_R, cluster_R)


def predict(rows: Side, reference: Side | None = None, level: float = 0.9):
    found = predicted_shifts(["a:x"], rows, reference, level=level, calibration=Calibration())
    return found[0]


def test_intervals_cover_and_p_values_are_uniform() -> None:
    rng = np.random.default_rng(0)
    found = [predict(drawn(rng, 30, 0.0)) for _ in range(800)]
    assert np.mean([each.estimate.lo <= 0 <= each.estimate.hi for each in found]) == pytest.approx(0.9, abs=0.03)
    assert np.mean([each.p < 0.1 for each in found]) == pytest.approx(0.1, abs=0.03)
    found = [predict(drawn(rng, 30, 0.2)) for _ in range(800)]
    assert np.mean([each.estimate.lo <= 0.2 <= each.estimate.hi for each in found]) == pytest.approx(0.9, abs=0.03)


def test_with_reference_rows_the_difference_is_covered() -> None:
    rng = np.random.default_rng(1)
    covered = [predict(drawn(rng, 30, 0.5), drawn(rng, 30, 0.3)).estimate for _ in range(600)]
    assert np.mean([each.lo <= 0.2 <= each.hi for each in covered]) == pytest.approx(0.9, abs=0.035)


def test_a_reference_for_the_same_prompts_takes_away_what_both_have_in_common() -> None:
    rng = np.random.default_rng(2)
    rows = drawn(rng, 40, 0.1)
    noise = rng.normal(scale=0.1, size=rows.alignment_RK.shape)
    alike = rows.alignment_RK - 0.1 * rows.tokens_R[:, None] + noise
    alone, paired = predict(rows), predict(rows, side(alike, rows.tokens_R, rows.cluster_R))
    unpaired = predict(rows, side(alike, rows.tokens_R, rows.cluster_R + 1000))
    assert width(paired) < width(alone) / 5
    assert width(unpaired) > width(alone)
    half = rows.cluster_R < 20
    partly = side(alike[half], rows.tokens_R[half], rows.cluster_R[half])
    assert width(paired) < width(predict(rows, partly)) < 2 * width(unpaired)
    assert paired.t > alone.t


def width(shift) -> float:
    return shift.estimate.hi - shift.estimate.lo


def test_identical_rows_and_reference_make_no_shift() -> None:
    rows = drawn(np.random.default_rng(3), 10, 0.3)
    found = predict(rows, rows)
    assert found.estimate.value == 0
    assert found.p == 1


def test_one_prompt_says_nothing() -> None:
    found = predict(side(np.ones((3, 1)), np.ones(3), np.zeros(3, dtype=np.int64)))
    assert found.p == pytest.approx(1)
    assert found.estimate.hi > 1e5


@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    rows = drawn(np.random.default_rng(4), 6, 0.1)
    moved = predict(side(rows.alignment_RK[order], rows.tokens_R[order], rows.cluster_R[order]))
    assert moved.estimate.value == pytest.approx(predict(rows).estimate.value)
    assert moved.t == pytest.approx(predict(rows).t)


def test_the_calibration_scales_and_widens() -> None:
    rows = drawn(np.random.default_rng(5), 20, 0.2)
    plain = predict(rows)
    (scaled,) = predicted_shifts(
        ["a:x"], rows, None, level=0.9, calibration=Calibration(slope=0.5, spread=0.5, floor=0.1)
    )
    assert scaled.estimate.value == pytest.approx(plain.estimate.value / 2)
    assert scaled.p == plain.p
    assert scaled.estimate.hi - scaled.estimate.lo > (plain.estimate.hi - plain.estimate.lo) / 2


@given(st.floats(1e-3, 1e3))
def test_the_rows_own_error_follows_the_size_of_another_recipes_students(times: float) -> None:
    rows = drawn(np.random.default_rng(7), 20, 0.2)
    first_order = predict(rows)
    (found,) = predicted_shifts(
        ["a:x"],
        rows,
        None,
        level=0.9,
        calibration=Calibration(),
        taught_K=np.array([times * first_order.estimate.value]),
        rescaled=True,
    )
    assert width(found) == pytest.approx(times * width(first_order))
    assert found.p == first_order.p


def test_rows_count_by_their_tokens() -> None:
    rows = side(np.array([[1.0], [3.0]]), np.array([1.0, 3.0]), np.array([0, 1]))
    assert predict(rows).estimate.value == 1.0


def test_what_rows_have_in_common_is_taken_up_less_the_further_a_student_goes() -> None:
    rng = np.random.default_rng(6)
    tokens = np.full(50, 30.0)
    apart, alike = np.eye(50) * 1e-3, np.ones((50, 1)) * 30.0
    np.testing.assert_allclose(row_weights(apart, tokens, [0.01] * 4), 0.04 / tokens.sum(), rtol=1e-4)
    far = [row_weights(alike, tokens, [0.01] * steps).sum() for steps in (1, 2, 4, 64)]
    assert far == sorted(far)
    assert far[3] < 64 * far[0] / 10
    # A linear model, trained step by step: y = X v, loss of the mean squared residual over two.
    x = rng.normal(size=(50, 3))
    start = rng.normal(size=50)
    gradients = x * start[:, None]
    v, fisher = np.zeros(3), gradients.T @ gradients / tokens.sum()
    for _ in range(400):
        v += 0.001 * (gradients.sum(axis=0) / tokens.sum() - fisher @ v)
    np.testing.assert_allclose(row_weights(gradients, tokens, [0.001] * 400) @ gradients, v, rtol=1e-2)


def test_rates_are_those_of_the_training_loop() -> None:
    steps = steps_of(100, PLAIN)
    assert rates_of(100) == [rate_at(step, steps, PLAIN) for step in range(steps)]
    assert len(rates_of(1_000_000)) == LONGEST
