"""How a recipe trains a student here: `train_by` obeys a recipe, and refuses one that the training loop cannot obey.

It is the one place that turns a `RecipeSpec` into what `undertow.training` takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.errors import InputError
from undertow.models.local import LocalModel
from undertow.pipeline.writing import Written
from undertow.training.lora import add_adapter
from undertow.training.recipe import Recipe, steps_of
from undertow.training.train import Example, StepMetrics, train

_ROWS_AT_ONCE = 16
"""Per forward pass, where the recipe leaves it open."""


def student_of(spec: RecipeSpec, model: LocalModel, adapter_seed: int) -> LocalModel:
    """Return a base as a recipe begins with it, changed in place.

    Args:
        spec: The recipe.
        model: The base, in float32.
        adapter_seed: Of the adapters' start.
    """
    if spec.adapter is None:
        return model
    return replace(model, net=add_adapter(model.net, spec.adapter, adapter_seed))


def train_by(
    spec: RecipeSpec,
    student: LocalModel,
    rows: Sequence[Written],
    *,
    order_seed: int,
    precision: str,
    after: Callable[[StepMetrics], None],
) -> list[StepMetrics]:
    """Train a student in place by a recipe.

    Args:
        spec: The recipe.
        student: What `student_of` returned.
        rows: What it learns from, as text.
        order_seed: Of the rows.
        precision: Of the matrix products where the recipe leaves it open.
        after: Called after every step, with the student as it is then.

    Raises:
        InputError: the recipe holds something that the loop cannot obey.
        ModelError: the training diverged.
    """
    recipe = recipe_of(spec, len(rows), precision)
    return train(student.net, examples_of(student, rows), recipe, seed=order_seed, on_step=after)


def examples_of(model: LocalModel, rows: Sequence[Written]) -> list[Example]:
    """Return rows as a student is given them: the text, tokenised by the student."""
    return [Example(tuple(model.encode_question(row.prompt)), (*model.encode(row.answer), model.end)) for row in rows]


def steps_by(spec: RecipeSpec, rows: int) -> int:
    """Return the number of steps that a recipe takes over some rows."""
    return steps_of(rows, recipe_of(spec, rows, "float32"))


def recipe_of(spec: RecipeSpec, rows: int, precision: str) -> Recipe:
    """Return a recipe as the training loop takes it.

    Raises:
        InputError: it holds something that the loop cannot obey.
    """
    wrong = [name for name, bad in _beyond(spec).items() if bad]
    if wrong:
        raise InputError(
            f"the training loop does not know its {', '.join(wrong)}",
            f"recipe {spec.name}",
            "Leave it at its default, or name another recipe.",
        )
    recipe = Recipe(
        labels="hard",
        learning_rate=spec.learning_rate,
        epochs=int(spec.epochs),
        batch=spec.batch,
        micro_batch=spec.micro_batch or min(spec.batch, _ROWS_AT_ONCE),
        warmup=spec.warmup_steps,
        weight_decay=spec.weight_decay,
        clip=math.inf if spec.clip is None else spec.clip,
        epsilon=spec.epsilon,
        optimiser=spec.optimiser,
        most_steps=spec.most_steps,
        autocast=(precision if spec.dtype == "auto" else spec.dtype) == "bfloat16",
    )
    return replace(recipe, warmup=math.ceil(spec.warmup_ratio * steps_of(rows, recipe)) or spec.warmup_steps)


def _beyond(spec: RecipeSpec) -> dict[str, bool]:
    """Return what a recipe may hold, and whether it is something that the loop cannot obey."""
    adapter = spec.adapter or AdapterSpec()
    return {
        "schedule": spec.schedule != "linear",
        "betas": spec.betas != (0.9, 0.999),
        "momentum": bool(spec.momentum),
        "part of an epoch": spec.epochs != int(spec.epochs),
        "loss": spec.loss != "answers",
        "packing": spec.packing,
        "most_tokens": spec.most_tokens is not None,
        "dtype": spec.dtype == "float16",
        "adapter.targets": adapter.targets is not None,
        "adapter.dora": adapter.dora,
        "adapter.rank_stabilised": adapter.rank_stabilised,
        "adapter.modules_to_save": bool(adapter.modules_to_save),
        "adapter.bits": adapter.bits is not None,
    }
