"""Schedules, step counts and order against transformers and torch, and what must hold of them whatever the numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from transformers import Trainer, TrainingArguments, get_scheduler

from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.errors import SpecError
from undertow.training.bins import packed_rows
from undertow.training.recipe import Recipe, batches, rate_at, recipe_from, steps_of, trainer_permutation

NAMES = {"linear": "linear", "cosine": "cosine_with_min_lr", "constant": "constant_with_warmup"}
"""Of schedules, in transformers."""


def made(**fields) -> Recipe:
    return recipe_from(RecipeSpec(**fields), autocast=False)


@settings(deadline=None)
@given(
    schedule=st.sampled_from(sorted(NAMES)),
    steps=st.integers(1, 60),
    warmup=st.one_of(st.integers(0, 70), st.floats(0, 0.99)),
    lowest=st.floats(0, 1),
    rate=st.floats(1e-6, 1),
)
def test_rates_are_those_of_transformers_schedulers(schedule, steps, warmup, lowest, rate):
    counted = {"warmup_steps": warmup} if isinstance(warmup, int) else {"warmup_ratio": warmup}
    lowest = lowest if schedule == "cosine" else 0.0
    recipe = made(schedule=schedule, learning_rate=rate, lowest_rate=lowest, **counted)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    theirs = get_scheduler(
        NAMES[schedule],
        optimiser,
        TrainingArguments.get_warmup_steps(type("Given", (), {"warmup_steps": warmup})(), steps),  # type: ignore[arg-type]
        steps,
        {"min_lr_rate": lowest} if schedule == "cosine" else {},
    )
    for step in range(steps):
        assert rate_at(step, steps, recipe) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12, abs=1e-18)
        optimiser.step()
        theirs.step()


@settings(deadline=None)
@given(
    rows=st.integers(1, 500),
    micro=st.integers(1, 9),
    accumulation=st.integers(1, 5),
    epochs=st.floats(0.01, 4),
    most=st.one_of(st.just(-1), st.integers(1, 90)),
)
def test_steps_are_counted_as_transformers_trainer_does(rows, micro, accumulation, epochs, most):
    arguments = type(
        "Given", (), {"max_steps": most, "num_train_epochs": epochs, "gradient_accumulation_steps": accumulation}
    )()
    loader = torch.utils.data.DataLoader(range(rows), batch_size=micro)  # type: ignore[arg-type]
    trainer = Trainer.__new__(Trainer)
    trainer.get_total_train_batch_size = lambda args: 1  # type: ignore[method-assign]
    trainer.get_sp_size = lambda: 1  # type: ignore[method-assign]
    trainer.num_examples = lambda dataloader: rows  # type: ignore[method-assign]
    wanted = trainer.set_initial_training_values(arguments, loader)[-1]  # type: ignore[arg-type]
    recipe = made(batch=micro * accumulation, micro_batch=micro, epochs=epochs, most_steps=None if most < 0 else most)
    assert steps_of(rows, recipe) == wanted
    said = RecipeSpec(batch=micro * accumulation, epochs=epochs, most_steps=None if most < 0 else most)
    assert steps_for(said, rows) == wanted
    assert len(batches(range(rows), recipe, 0)) == wanted


@given(count=st.integers(0, 400), seed=st.integers(0, 2**32 - 1))
def test_the_trainers_permutation_is_torchs(count, seed):
    generator = torch.Generator()
    generator.manual_seed(seed)
    assert trainer_permutation(count, seed) == torch.randperm(count, generator=generator).tolist()


@given(rows=st.integers(1, 60), epochs=st.floats(0.1, 3), batch=st.integers(1, 20), seed=st.integers(0, 5))
def test_every_epoch_of_the_trainers_order_holds_every_row_once_and_a_part_of_one_begins_like_it(
    rows, epochs, batch, seed
):
    recipe = made(batch=batch, epochs=epochs)
    per_epoch = math.ceil(rows / batch)
    order = batches(range(rows), recipe, seed)
    for start in range(0, len(order), per_epoch):
        seen = [row for step in order[start : start + per_epoch] for row in step]
        assert seen == trainer_permutation(rows, seed + start // per_epoch)[: len(seen)]
    whole = batches(range(rows), replace(recipe, epochs=math.ceil(epochs)), seed)
    assert whole[: len(order)] == order


@given(lengths=st.lists(st.integers(1, 32), min_size=1, max_size=60), seed=st.integers(0, 3))
def test_packed_sequences_hold_every_row_once_and_are_never_too_long(lengths, seed):
    bins = packed_rows(lengths, 32)
    assert sorted(row for each in bins for row in each) == list(range(len(lengths)))
    assert all(0 < sum(lengths[row] for row in each) <= 32 for each in bins)
    # No sequence could have taken the first row of a later one: that row then was put where room was.
    for at, later in enumerate(bins):
        before = [sum(lengths[row] for row in each if lengths[row] >= lengths[later[0]]) for each in bins[:at]]
        assert all(held + lengths[later[0]] > 32 for held in before)
    recipe = made(packing=True, most_tokens=32, batch=3, epochs=1)
    order = batches(range(len(lengths)), recipe, seed, lengths)
    assert len(order) == math.ceil(len(bins) / 3)
    assert sorted(row for step in order for row in step) == list(range(len(lengths)))


@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 32), min_size=1, max_size=1100))
def test_rows_are_packed_as_trl_packs_them(lengths):
    trl = pytest.importorskip("trl")
    data = pytest.importorskip("datasets").Dataset.from_dict({"rows": [[at] * size for at, size in enumerate(lengths)]})
    theirs = trl.pack_dataset(data, 32, "bfd")["rows"]
    assert packed_rows(lengths, 32) == [list(dict.fromkeys(each)) for each in theirs]


@pytest.mark.parametrize(
    ("fields", "labels", "says"),
    [
        ({"lowest_rate": 0.1}, "hard", "cosine"),
        ({"momentum": 0.9}, "hard", "sgd"),
        ({"packing": True}, "hard", "most_tokens"),
        ({"loss": "whole"}, "soft", "soft labels"),
    ],
)
def test_what_contradicts_itself_is_refused(fields, labels, says):
    with pytest.raises(SpecError, match=says):
        recipe_from(RecipeSpec(**fields), autocast=False, labels=labels)


def test_a_recipe_in_float32_is_not_rounded():
    assert not recipe_from(RecipeSpec(dtype="float32"), autocast=True).autocast
    assert recipe_from(RecipeSpec(), autocast=True).autocast
