"""How a recipe trains a student here: by the product's own loop, adapters and recipes.

It is the one place that turns a study's recipe into what `undertow.training` takes. Rows of one prompt stay together,
and so many rows are computed at once whatever their lengths, so that a cell's numbers are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from benchmarks.cells.study import How
from undertow.config.recipes.steps import steps_for
from undertow.models.engine.head import Head, head_of
from undertow.models.local import LocalModel
from undertow.pipeline.writing import Written
from undertow.training.lora import add_adapter
from undertow.training.recipe import Recipe, recipe_from
from undertow.training.train import Example, StepMetrics, fitted, order_of, train

_ROWS_AT_ONCE = 16
"""Per forward pass, where the recipe leaves it open and packs no rows."""


@dataclass(frozen=True)
class Student:
    """A base as a recipe begins with it."""

    model: LocalModel
    head: Head | None
    """The base's, which every teacher shares; for soft labels alone."""


def student_of(spec: How, model: LocalModel, adapter_seed: int) -> Student:
    """Return a base as a recipe begins with it, changed in place.

    Args:
        spec: The recipe.
        model: The base, in float32.
        adapter_seed: Of the adapters' start.

    Raises:
        ModelError: the adapter does not fit the model.
    """
    head = head_of(model.net).kept() if spec.labels == "soft" else None
    if spec.adapter is not None:
        model = replace(model, net=add_adapter(model.net, spec.adapter, adapter_seed))
    return Student(model, head)


def train_by(
    spec: How,
    student: Student,
    examples: Sequence[Example],
    *,
    order_seed: int,
    precision: str,
    labels: Sequence[Tensor] | None = None,
    after: Callable[[StepMetrics], None],
) -> list[StepMetrics]:
    """Train a student in place by a recipe.

    Args:
        spec: The recipe.
        student: What `student_of` returned.
        examples: What it learns from.
        order_seed: Of the rows.
        precision: Of the matrix products where the recipe leaves it open.
        labels: The teacher's hidden states (T, D) of every row, for soft labels.
        after: Called after every step, with the student as it is then.

    Raises:
        SpecError: parts of the recipe contradict each other.
        ModelError: the training diverged.
    """
    if labels is not None:
        examples = [replace(each, teacher_TD=label) for each, label in zip(examples, labels, strict=True)]
    recipe = recipe_of(spec, precision)
    return train(student.model.net, examples, recipe, seed=order_seed, teacher=student.head, on_step=after)


def examples_of(spec: How, model: LocalModel, rows: Sequence[Written]) -> list[Example]:
    """Return rows as a student is given them.

    Hard labels are the text, tokenised by the student. Soft labels belong to the tokens that the teacher sampled.
    """
    return [
        Example(
            tuple(model.encode_question(row.prompt)),
            (*(row.tokens if spec.labels == "soft" else model.encode(row.answer)), model.end),
        )
        for row in rows
    ]


def recipe_of(spec: How, precision: str) -> Recipe:
    """Return a recipe as the training loop takes it.

    Args:
        spec: The recipe.
        precision: Of the matrix products where the recipe leaves it open.

    Raises:
        SpecError: parts of the recipe contradict each other.
    """
    products = precision if spec.dtype == "auto" else spec.dtype
    recipe = recipe_from(spec, autocast=products != "float32", labels=spec.labels, order="prompts")
    if recipe.micro_batch is None and not recipe.packing:
        recipe = replace(recipe, micro_batch=_ROWS_AT_ONCE)
    return recipe


def steps_in(spec: How, examples: Sequence[Example], epochs: float | None = None) -> int:
    """Return the number of steps that a recipe takes over some rows.

    Args:
        spec: The recipe.
        examples: What is learned from.
        epochs: As if the recipe had so many; its own when absent.
    """
    recipe = recipe_of(spec, "float32")
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    return len(order_of(fitted(examples, recipe), recipe, 0))


def steps_by(spec: How, rows: int, epochs: float | None = None) -> int:
    """Return the steps over so many rows that are not written yet: at most so many, where rows are packed."""
    return steps_for(spec if epochs is None else spec.model_copy(update={"epochs": epochs}), rows)
