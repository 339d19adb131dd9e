"""What a method is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from undertow.data.rows import Message
from undertow.models.local import LocalModel
from undertow.models.protocol import Model
from undertow.training.train import Example, Intervention
from undertow.traits.base import Trait


@dataclass
class Task:
    """What a student is to be trained on."""

    model: LocalModel
    """The base, which becomes the student."""
    prompts: list[list[Message]]
    examples: list[Example]
    trait: Trait
    teacher: Callable[[], Model]
    """Loads the teacher that wrote the rows."""
    autocast: bool
    seed: int = 0
    """Of answers that are written anew."""
    other: Callable[[], LocalModel] | None = None
    """Loads a model of another family, where there is one."""
    tools: list[list[Any] | str | None] = field(default_factory=list[list[Any] | str | None])
    """That were offered with each prompt; empty where there are none."""


@dataclass
class Treatment:
    """What a method changes."""

    examples: list[Example]
    intervention: Intervention = field(default_factory=Intervention)
    after: Callable[[], None] = lambda: None
