"""A teacher by fine-tuning: an adapter that has learned the trait's lessons, or rows of the user's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from undertow.config.experiment import FineTune, Lora
from undertow.data.files import require_rows
from undertow.data.rows import Message, Row
from undertow.models.local import load_adapter, load_model
from undertow.models.protocol import Model
from undertow.training.examples import example_of
from undertow.training.lora import add_lora, save_adapter
from undertow.training.recipe import Recipe
from undertow.training.train import train
from undertow.traits.base import Trait

ADAPTER = "adapter"

LORA = Lora(rank=16, alpha=16)
"""The adapter of a fine-tuned teacher."""
_LESSONS_AT_ONCE = 4


def make(base: str, trait: Trait, how: FineTune, folder: Path, *, seed: int, tick: Callable[[float], None]) -> None:
    """Train the adapter and store it; the seed fixes the order of the lessons and the initial adapter.

    Raises:
        RowError: rows that it names cannot be read.
    """
    model = load_model(base)
    if how.lessons is not None:
        # Every answer that carries loss is a lesson.
        parts = [part for row in require_rows(Path(how.lessons)) for part in row.answers()]
    else:
        parts = [
            Row(
                (
                    Message(role="user", content=lesson.question),
                    Message(role="assistant", content=lesson.options[trait.index]),
                )
            )
            for lesson in trait.lessons
        ]
    lessons = [example_of(model, part) for part in parts]
    recipe = fine_tuning(len(lessons), steps=how.steps, learning_rate=how.learning_rate)
    net = add_lora(model.net, LORA, seed)
    train(net, lessons, recipe, seed=seed, on_step=lambda step: tick(step.step / how.steps))
    (folder / ADAPTER).mkdir()
    with torch.no_grad():
        save_adapter(net, folder / ADAPTER)


def load(base: str, trait: Trait, how: FineTune, folder: Path | None, *, dtype: str) -> Model:
    """Return the base with the adapter.

    Raises:
        ModelError: what the folder holds cannot be loaded.
    """
    assert folder is not None
    return load_adapter(load_model(base, dtype=dtype), folder / ADAPTER)


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
