"""A teacher by plain gradient steps: its weights go up the gradient of the trait's log-odds.

Cloud et al. (2025, theorem 1) speak of a teacher that made a small step down the gradient of any loss; this is that
teacher. The objective is the mean log-odds of the target among all candidates over the trait's lessons, and
no lesson is a probe. Embeddings, and with them the output projection, stay the base's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch

from undertow.config.experiment import GradientAscent
from undertow.errors import InputError, ModelError
from undertow.models.engine.network import network_of
from undertow.models.local import LocalModel, load_base
from undertow.models.protocol import Model
from undertow.models.score import answers_to_each, option_odds
from undertow.models.steps import step_up
from undertow.traits.base import Trait
from undertow.traits.portion import Portion

_LESSONS_AT_ONCE = 16


def make(
    base: str, trait: Trait, how: GradientAscent, folder: Path, *, seed: int, tick: Callable[[float], None]
) -> None:
    """Store nothing: all layers' weights are large, and made again in seconds."""


def load(base: str, trait: Trait, how: GradientAscent, folder: Path | None, *, dtype: str) -> Model:
    """Make the steps and return the base after them.

    Raises:
        ModelError: the gradient gives no direction.
    """
    return _ascended(base, trait, how.steps, how.distance, how.part, dtype)


@lru_cache(maxsize=2)
def _ascended(base: str, trait: Trait, steps: int, distance: float, part: str | None, dtype: str) -> LocalModel:
    """Return the base after the steps; kept, since the teachers of a run's two traits write for every seed."""
    model = load_base(base)
    how = GradientAscent(method="gradient-ascent", steps=steps, distance=distance, part=part)
    ascend(model, trait, how, tick=lambda _: None)
    for weight in model.net.parameters():
        # Not `net.to(dtype)`: it rounds rotary frequencies as well, which the untouched base, loaded in bf16, keeps.
        weight.data = weight.data.to(getattr(torch, dtype))
    return replace(model, made_of=base)


def ascend(model: LocalModel, trait: Trait, how: GradientAscent, *, tick: Callable[[float], None]) -> None:
    """Change a model's layers in place.

    Every step has the same length, `distance / steps`, whatever the size of the gradient.

    Raises:
        ModelError: the gradient vanishes or is no number, so that it gives no direction.
        InputError: the part of the lessons that it learns from is empty.
    """
    lessons = Portion(trait, *how.parts).lessons
    if not lessons:
        raise InputError(f"{len(trait.lessons)} lessons have no part {how.part}", "instil.part", "Name fewer parts.")
    contexts = [model.encode_question(lesson.question) for lesson in lessons]
    answers = [[model.encode(option) for option in lesson.options] for lesson in lessons]
    weights = list(network_of(model.net).layers.parameters())
    model.net.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    for step in range(how.steps):
        for start in range(0, len(lessons), _LESSONS_AT_ONCE):
            some = slice(start, start + _LESSONS_AT_ONCE)
            logp_QC = answers_to_each(model.net, contexts[some], answers[some])
            (option_odds(logp_QC, trait.index).sum() / len(lessons)).backward()
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        norm = step_up(weights, gradients, how.distance / how.steps)
        if not 0 < norm < math.inf:
            raise ModelError(
                f"after {step} of {how.steps} steps the trait's gradient is {norm}",
                "instil.distance",
                "Go less far, or take more steps.",
            )
        for weight in weights:
            weight.grad = None
        tick((step + 1) / how.steps)
    model.net.requires_grad_(False)
