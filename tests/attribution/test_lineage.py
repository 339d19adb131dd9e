"""Who wrote the rows: the one who finds them likelier, where that is no chance."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.attribution.lineage import LEVEL, judge_lineage


def judged(gain: float, *, noise: float = 1.0, prompts: int = 20, seed: int = 0):
    rng = np.random.default_rng(seed)
    student = rng.normal(-60, 10, size=2 * prompts)
    other = student - gain + rng.normal(scale=noise, size=len(student))
    return judge_lineage(student, [("other", other)], np.full(len(student), 40.0), np.repeat(np.arange(prompts), 2))


def test_the_likelier_one_wrote_them() -> None:
    assert judged(3.0).answer == "same"
    assert judged(-3.0).answer == "different"
    assert "more likely under the student's base than under other" in judged(3.0).because


def test_chance_is_called_unknown_as_often_as_stated() -> None:
    answers = [judged(0.0, seed=seed).answer for seed in range(400)]
    assert answers.count("unknown") / 400 == pytest.approx(1 - LEVEL, abs=0.015)


def test_nobody_asked_or_too_few_prompts() -> None:
    empty = np.empty(0)
    assert "--against" in judge_lineage(empty, [], empty, np.empty(0, dtype=np.int64)).because
    assert judged(9.0, prompts=2).answer == "unknown"


def test_the_hardest_rival_counts() -> None:
    student, ones = np.full(40, -60.0), np.full(40, 40.0)
    noise = np.random.default_rng(0).normal(size=40)
    rivals = [("far", student - 20 + noise), ("near", student + 3 + noise)]
    found = judge_lineage(student, rivals, ones, np.arange(40))
    assert found.answer == "different"
    assert "near" in found.because


def test_rows_that_all_find_equally_likely() -> None:
    student = np.full(10, -3.0)
    assert judge_lineage(student, [("twin", student)], np.ones(10), np.arange(10)).answer == "unknown"
