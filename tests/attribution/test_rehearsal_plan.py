"""The length of a rehearsal: a compressed schedule, places of measurement, and what fits into a time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution.rehearsal_plan import (
    RehearsalCost,
    measured_at,
    passes_of,
    plan_rehearsal,
    rehearsed,
    spent_by,
)
from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.errors import InputError

LORA = RecipeSpec(epochs=3, batch=16)


def test_a_recipe_of_epochs_keeps_them() -> None:
    own = rehearsed(LORA, 4096, 64)
    assert own == LORA
    assert (len(spent_by(64, own)), len(spent_by(4096, LORA))) == (12, 768)
    assert passes_of(64, own) == passes_of(4096, LORA) == 3


def test_steps_and_warm_up_are_compressed_alike() -> None:
    whole = RecipeSpec(most_steps=300, warmup_steps=30, batch=16)
    own = rehearsed(whole, 1600, 160)
    assert (own.most_steps, own.warmup_steps) == (30, 3)
    assert passes_of(160, own) == passes_of(1600, whole) == 3


@given(rows=st.integers(1, 600), read=st.integers(1, 600))
def test_what_is_not_smaller_is_the_full_training(rows: int, read: int) -> None:
    recipe = RecipeSpec(most_steps=40, warmup_steps=5)
    own = rehearsed(recipe, read, rows)
    assert (own == recipe) or rows < read
    assert steps_for(own, rows) >= 1


@pytest.mark.parametrize("ratio", [2, 8])
def test_the_summed_rate_grows_as_the_steps_do(ratio: int) -> None:
    recipe = LORA.model_copy(update={"warmup_ratio": 0.1})
    short, long = spent_by(160, recipe), spent_by(160 * ratio, recipe)
    assert long[-1] / short[-1] == pytest.approx(ratio, rel=0.05)


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=60), st.integers(1, 4))
def test_measurements_rise_and_end_with_the_training(rates: list[float], points: int) -> None:
    spent = [math.fsum(rates[: at + 1]) for at in range(len(rates))]
    steps = measured_at(spent, points)
    assert steps == sorted(set(steps))
    assert steps[-1] == len(rates)
    assert 1 <= len(steps) <= points


def test_measurements_lie_where_halves_of_the_rate_are_spent() -> None:
    spent = spent_by(1600, LORA)
    shares = [spent[step - 1] / spent[-1] for step in measured_at(spent, 3)]
    assert shares == pytest.approx([0.25, 0.5, 1.0], abs=0.01)
    assert measured_at([0.0, 0.0, 1.0], 3) == [3]


@given(
    seconds=st.floats(10, 1e5),
    row=st.floats(0.001, 2),
    asking=st.floats(0, 60),
    rows=st.integers(2, 512),
    batch=st.sampled_from([4, 16]),
)
def test_a_plan_never_takes_more_than_its_budget(
    seconds: float, row: float, asking: float, rows: int, batch: int
) -> None:
    smallest = 2 * 2 * (asking + 3 * row * min(2 * batch, rows))
    if seconds < smallest * (1 - 1e-9):
        with pytest.raises(InputError, match="smallest one takes"):
            plan_rehearsal(seconds, row=row, asking=asking, rows=rows, batch=batch, passes=3)
        return
    plan = plan_rehearsal(seconds * (1 + 1e-8), row=row, asking=asking, rows=rows, batch=batch, passes=3)
    cost = RehearsalCost(2 * plan.seeds, 3 * plan.rows, row, plan.points, asking)
    assert cost.seconds <= seconds * (1 + 1e-7)
    assert plan.rows <= rows
    assert plan.rows % batch == 0 or plan.rows < batch or plan.rows == rows
    assert plan.seeds >= 2


def test_more_time_never_gives_a_smaller_plan() -> None:
    plans = [plan_rehearsal(s, row=0.3, asking=20, rows=512, batch=16, passes=3) for s in range(300, 4000, 50)]
    told = [(plan.seeds, plan.points) for plan in plans]
    assert told == sorted(told)
    assert plans[-1].rows > 64
