"""Predicted shifts: intervals cover, p-values are uniform where nothing is there, pairing by prompt is used."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from undertow.distil.recipe import rate_at, steps_of
from undertow.scan.prediction import Calibration, predicted_shifts, ratios
from undertow.scan.recipe import LONGEST, PLAIN, total_rate

Table = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def drawn(rng: np.random.Generator, prompts: int, mean: float, *, noise: float = 1.0) -> Table:
    """Rows in pairs that share their prompt and part of their noise."""
    cluster_R = np.repeat(np.arange(prompts), 2)
    tokens_R = rng.integers(20, 40, size=2 * prompts).astype(float)
    shared = np.repeat(rng.normal(scale=noise, size=prompts), 2)
    own = rng.normal(scale=noise, size=2 * prompts)
    return ((mean * tokens_R + shared * 5 + own * 5)[:, None], tokens_R, cluster_R)


def predict(rows: Table, reference: Table | None = None, level: float = 0.9):
    found = predicted_shifts(["a:x"], rows, reference, total_rate=1.0, level=level, calibration=Calibration())
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
    alignment, tokens, cluster = drawn(rng, 40, 0.1)
    reference = (alignment - 0.1 * tokens[:, None] + rng.normal(scale=0.1, size=alignment.shape), tokens, cluster)
    alone, paired = predict((alignment, tokens, cluster)), predict((alignment, tokens, cluster), reference)
    assert paired.error < alone.error / 5
    unpaired = predict((alignment, tokens, cluster), (reference[0], tokens, cluster + 1000))
    assert unpaired.error > alone.error


def test_identical_rows_and_reference_make_no_shift() -> None:
    rows = drawn(np.random.default_rng(3), 10, 0.3)
    found = predict(rows, rows)
    assert found.estimate.value == 0
    assert found.p == 1


def test_one_prompt_says_nothing() -> None:
    found = predict((np.ones((3, 1)), np.ones(3), np.zeros(3, dtype=np.int64)))
    assert found.p == 1
    assert found.estimate.hi > 1e5


@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    alignment, tokens, cluster = drawn(np.random.default_rng(4), 6, 0.1)
    moved = predict((alignment[order], tokens[order], cluster[order]))
    assert moved.estimate.value == pytest.approx(predict((alignment, tokens, cluster)).estimate.value)
    assert moved.error == pytest.approx(predict((alignment, tokens, cluster)).error)


def test_the_calibration_scales_and_widens() -> None:
    rows = drawn(np.random.default_rng(5), 20, 0.2)
    plain = predict(rows)
    (scaled,) = predicted_shifts(
        ["a:x"], rows, None, total_rate=1.0, level=0.9, calibration=Calibration(slope=0.5, spread=0.5, floor=0.1)
    )
    assert scaled.estimate.value == pytest.approx(plain.estimate.value / 2)
    assert scaled.p == plain.p
    assert scaled.estimate.hi - scaled.estimate.lo > (plain.estimate.hi - plain.estimate.lo) / 2


def test_ratios_weigh_rows_by_their_tokens() -> None:
    value, _, count = ratios(np.array([[1.0], [3.0]]), np.array([1.0, 3.0]), np.array([0, 1]))
    assert value[0] == 1.0
    assert count == 2


def test_the_whole_rate_is_that_of_the_training_loop() -> None:
    steps = steps_of(100, PLAIN)
    assert total_rate(100) == pytest.approx(sum(rate_at(step, steps, PLAIN) for step in range(steps)))
    many = total_rate(1_000_000)
    assert many == pytest.approx(PLAIN.learning_rate * LONGEST / 2, rel=0.01)
