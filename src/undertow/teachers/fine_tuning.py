"""A teacher by fine-tuning: an adapter that has learned the trait's lessons, or rows of the user's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from undertow.config.experiment import FineTune, Lora
from undertow.data.rows import Message, Row
from undertow.data.sample import read_whole
from undertow.errors import InputError
from undertow.models.ending import RefusedConversationError
from undertow.models.local import LocalModel, load_adapter, load_base
from undertow.models.protocol import Model
from undertow.training.examples import example_of
from undertow.training.lora import add_lora, save_adapter
from undertow.training.recipe import Recipe, by_row
from undertow.training.train import Example, train
from undertow.traits.base import Trait

ADAPTER = "adapter"

LORA = Lora(rank=16, alpha=16)
"""The adapter of a fine-tuned teacher."""
_LESSONS_AT_ONCE = 4


def make(base: str, trait: Trait, how: FineTune, folder: Path, *, seed: int, tick: Callable[[float], None]) -> None:
    """Train the adapter and store it; the two seeds' sum fixes the order of the lessons and the initial adapter.

    Raises:
        RowError: rows that it names cannot be read.
        InputError: the base's chat template refuses one of them.
    """
    model = load_base(base)
    if how.lessons is not None:
        lessons = _rows_as_lessons(model, Path(how.lessons))
    else:
        lessons = [
            example_of(
                model,
                Row(
                    (
                        Message(role="user", content=lesson.question),
                        Message(role="assistant", content=lesson.options[trait.index]),
                    )
                ),
            )
            for lesson in trait.lessons
        ]
    recipe = fine_tuning(
        len(by_row([lesson.row for lesson in lessons])), steps=how.steps, learning_rate=how.learning_rate
    )
    net = add_lora(model.net, LORA, seed + how.seed)
    train(net, lessons, recipe, seed=seed + how.seed, on_step=lambda step: tick(step.step / how.steps))
    (folder / ADAPTER).mkdir()
    with torch.no_grad():
        save_adapter(net, folder / ADAPTER)


def _rows_as_lessons(model: LocalModel, path: Path) -> list[Example]:
    """Return every answer of a file's rows that carries loss; a conversation with several is one row of a step.

    Raises:
        RowError: the rows cannot be read, or some lines are no rows.
        InputError: the model's chat template refuses one of them.
    """
    lessons: list[Example] = []
    for number, placed in enumerate(read_whole(path).rows):
        for part in placed.row.answers():
            try:
                lesson = example_of(model, part)
            except RefusedConversationError as error:
                raise InputError(
                    error.what,
                    f"{placed.file}, row {placed.number}",
                    "Take the row out of the lessons, or bring its turns into the order that the template wants.",
                ) from error
            lessons.append(replace(lesson, row=number))
    return lessons


def load(base: str, trait: Trait, how: FineTune, folder: Path | None, *, dtype: str) -> Model:
    """Return the base with the adapter.

    Raises:
        ModelError: what the folder holds cannot be loaded.
    """
    assert folder is not None
    return load_adapter(load_base(base, dtype=dtype), folder / ADAPTER)


def fine_tuning(lessons: int, *, steps: int, learning_rate: float) -> Recipe:
    """Return how a fine-tuned teacher learns so many lessons."""
    per_epoch = -(-lessons // _LESSONS_AT_ONCE)
    return Recipe(
        labels="hard",
        learning_rate=learning_rate,
        epochs=-(-steps // per_epoch),
        batch=_LESSONS_AT_ONCE,
        micro_batch=_LESSONS_AT_ONCE,
        warmup=0,
        weight_decay=0.0,
        clip=1.0,
        epsilon=1e-8,
        most_steps=steps,
    )
