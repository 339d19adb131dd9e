"""How long a recipe trains and at what rates, beside the schedules of transformers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import get_cosine_with_min_lr_schedule_with_warmup, get_scheduler

from undertow.attribution.recipe import (
    LONGEST,
    PLAIN,
    PLAIN_SGD,
    described,
    not_modelled,
    not_plain,
    plain_of,
    rates_of,
)
from undertow.attribution.tier import in_words, left_out, no_first_order, pushes, tier_of, tier_settings
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.training.recipe import steps_of


@pytest.mark.parametrize("rows", [1, 15, 16, 128, 129, 5000])
def test_plain_steps_are_those_of_the_benchmark(rows: int) -> None:
    assert steps_for(PLAIN_SGD, rows) == steps_of(rows, PLAIN)
    assert rates_of(rows, PLAIN_SGD) == rates_of(rows)
    named = PLAIN_SGD.model_copy(update={"name": "mine", "seed": 3, "micro_batch": 2})
    assert plain_of(named) is PLAIN
    assert plain_of(PLAIN_SGD.model_copy(update={"learning_rate": 0.004})) is None


@pytest.mark.parametrize(
    ("schedule", "warmup"),
    [("linear", {}), ("linear", {"warmup_steps": 3}), ("cosine", {"warmup_ratio": 0.13}), ("constant", {})],
)
def test_rates_are_those_of_transformers(schedule: Any, warmup: dict[str, Any]) -> None:
    recipe = RecipeSpec(schedule=schedule, learning_rate=0.01, epochs=2, batch=8, **warmup)
    steps = steps_for(recipe, 80)
    assert steps == 20
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    ahead = warmup.get("warmup_steps", 3 if warmup else 0)
    other = get_scheduler(schedule, optimiser, num_warmup_steps=ahead, num_training_steps=steps)
    wanted: list[float] = []
    for _ in range(steps):
        wanted.append(other.get_last_lr()[0])
        optimiser.step()
        other.step()
    assert rates_of(80, recipe) == pytest.approx(wanted)


def test_a_cosine_may_end_above_zero() -> None:
    recipe = RecipeSpec(schedule="cosine", lowest_rate=0.1, learning_rate=0.01, epochs=1, batch=8)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    other = get_cosine_with_min_lr_schedule_with_warmup(optimiser, 0, 20, min_lr_rate=0.1)
    wanted: list[float] = []
    for _ in range(20):
        wanted.append(other.get_last_lr()[0])
        optimiser.step()
        other.step()
    assert rates_of(160, recipe) == pytest.approx(wanted)


def test_a_long_training_is_cut_and_keeps_its_schedule() -> None:
    recipe = RecipeSpec(schedule="linear", learning_rate=1.0, epochs=3, batch=16)
    assert steps_for(recipe, 1000) == 189
    rates = rates_of(1000, recipe)
    assert len(rates) == LONGEST
    assert rates[-1] == pytest.approx(1 - 23 / 189)
    assert steps_for(recipe.model_copy(update={"most_steps": 5}), 1000) == 5
    assert steps_for(recipe.model_copy(update={"epochs": 0.5}), 100) == 4


def test_what_gradients_do_not_predict_and_students_do_not_model_is_said() -> None:
    assert not_plain(PLAIN_SGD) == ""
    assert not_modelled(PLAIN_SGD) == []
    for changes, said in (
        ({"optimiser": "adamw"}, "AdamW"),
        ({"clip": 1.0}, "clipping"),
        ({"momentum": 0.9}, "momentum"),
        ({"adapter": AdapterSpec()}, "adapter"),
    ):
        assert said in not_plain(PLAIN_SGD.model_copy(update=changes))
    adapter = AdapterSpec(bits=4, dora=True, modules_to_save=("lm_head",), targets=("q_proj",))
    everything = RecipeSpec(adapter=adapter, packing=True, loss="whole", most_tokens=512, dtype="float16")
    assert len(not_modelled(everything)) == 5
    assert described(PLAIN_SGD) == "plain-sgd: SGD on all weights, rate 0.003, batches of 16, 1 epoch"
    assert "a DoRA adapter of rank 16 and alpha 32" in described(everything)


def test_each_gradient_goes_as_far_as_momentum_carries_it() -> None:
    recipe = PLAIN_SGD.model_copy(update={"momentum": 0.5, "schedule": "constant", "warmup_steps": 0, "batch": 1})
    weight = torch.zeros(4)
    parameter = torch.nn.Parameter(torch.zeros(4))
    optimiser = torch.optim.SGD([parameter], lr=recipe.learning_rate, momentum=0.5)
    for step, far in enumerate(pushes(4, recipe)):
        parameter.grad = torch.eye(4)[step]
        optimiser.step()
        weight[step] -= far
    assert torch.allclose(parameter.detach(), weight)
    assert pushes(4, PLAIN_SGD) == rates_of(4, PLAIN_SGD)
    adamw = RecipeSpec()
    assert pushes(100, adamw) == rates_of(100, adamw)


def test_the_tier_of_a_recipe_is_named_and_says_what_it_does() -> None:
    assert (tier_of(PLAIN_SGD), in_words("gradient"), tier_settings(PLAIN_SGD)) == ("gradient", "", {})
    lora = RecipeSpec(adapter=AdapterSpec(modules_to_save=("lm_head",), dropout=0.1, bits=4), loss="whole")
    assert tier_of(lora) == "gradient-adapter-adamw"
    assert {"geometry", "optimiser", "clipping", "schedule", "weight decay", "saturation"} <= tier_settings(lora).keys()
    for said in ("lm_head", "dropout", "4-bit", "loss on whole rows"):
        assert any(said in each for each in left_out(lora))
    assert "embeddings" in left_out(RecipeSpec())[-1]
    assert tier_of(PLAIN_SGD.model_copy(update={"adapter": AdapterSpec()})) == "gradient-adapter"
    assert tier_of(RecipeSpec()) == "gradient-adamw"
    assert no_first_order(RecipeSpec()) == no_first_order(PLAIN_SGD) == ""
    assert "clipping" in no_first_order(PLAIN_SGD.model_copy(update={"clip": 1.0}))
