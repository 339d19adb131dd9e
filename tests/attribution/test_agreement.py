"""What rows have in common: nothing, where gradients are noise; found, where they share a direction."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.attribution.agreement import agreement, without


def noise(rng: np.random.Generator, rows: int = 24) -> np.ndarray:
    return rng.normal(size=(rows, 40))


def test_noise_raises_the_alarm_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    p = [agreement(noise(rng), np.arange(24), rng=rng).p for _ in range(400)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.04)


def test_a_shared_direction_is_found_and_its_size_too() -> None:
    rng = np.random.default_rng(1)
    rows = noise(rng, 400) + 3.0 * np.eye(40)[0]
    found = agreement(rows, np.arange(400), rng=rng)
    assert found.p < 0.01
    assert found.cosine == pytest.approx(9 / (9 + 40), rel=0.1)


def test_rows_with_one_prompt_are_one_draw() -> None:
    rng = np.random.default_rng(2)
    same = np.repeat(noise(rng, 12), 5, axis=0)
    assert agreement(same, np.repeat(np.arange(12), 5), rng=rng).p > 0.01
    assert agreement(same, np.arange(60), rng=rng).p < 0.01
    assert agreement(same, np.zeros(60, dtype=int), rng=rng).p == 1


def test_order_does_not_matter() -> None:
    rows = noise(np.random.default_rng(3))
    clusters = np.arange(24) // 2
    order = np.random.default_rng(4).permutation(24)
    one = agreement(rows, clusters, rng=np.random.default_rng(5))
    other = agreement(rows[order], clusters[order], rng=np.random.default_rng(5))
    assert one.cosine == pytest.approx(other.cosine)
    assert one.p == other.p


def test_the_span_of_the_traits_is_taken_out() -> None:
    rng = np.random.default_rng(6)
    traits = rng.normal(size=(3, 40))
    rest = without(noise(rng), traits)
    assert np.abs(rest @ traits.T).max() < 1e-9
    np.testing.assert_allclose(without(rest, traits), rest)
    np.testing.assert_array_equal(without(rest, np.zeros((0, 40))), rest)


def test_what_reference_rows_have_too_is_taken_away() -> None:
    rng = np.random.default_rng(7)
    shared = 3.0 * np.eye(40)[0]
    rows, base = noise(rng, 60) + shared, noise(rng, 60) + shared
    clusters = np.arange(60)
    assert agreement(rows, clusters, rng=rng).p < 0.01
    assert agreement(rows, clusters, rng=rng, reference=(base, clusters)).p > 0.01
    assert agreement(rows, clusters, rng=rng, reference=(base[:30], clusters[:30])).cosine < 0.05


def test_reference_rows_of_other_prompts_raise_the_alarm_as_often_as_stated() -> None:
    rng = np.random.default_rng(8)
    shared = 3.0 * np.eye(40)[0]
    p: list[float] = []
    for _ in range(300):
        reference = (noise(rng, 16) + shared, 100 + np.arange(16))
        p.append(agreement(noise(rng) + shared, np.arange(24), rng=rng, reference=reference).p)
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_what_reference_rows_of_other_prompts_lack_is_found_and_its_size_too() -> None:
    rng = np.random.default_rng(9)
    rows, base = noise(rng, 300) + 3.0 * np.eye(40)[0], noise(rng, 200) + 2.0 * np.eye(40)[1]
    found = agreement(rows, np.arange(300), rng=rng, reference=(base, 1000 + np.arange(200)))
    assert found.p < 0.01
    assert found.cosine == pytest.approx((9 + 4) / (9 + 40), rel=0.15)
    order = rng.permutation(300)
    again = agreement(rows[order], order, rng=rng, reference=(base, 1000 + np.arange(200)))
    assert again.cosine == pytest.approx(found.cosine)


def test_a_single_reference_prompt_says_nothing() -> None:
    rng = np.random.default_rng(10)
    assert agreement(noise(rng), np.arange(24), rng=rng, reference=(noise(rng, 3), np.full(3, 99))).p == 1
