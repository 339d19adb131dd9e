"""The methods by which a trait is put into a model, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from undertow.config.parts import CLIMB
from undertow.config.registries import TEACHERS

if TYPE_CHECKING:
    from undertow.system.registry import Registry
    from undertow.teachers.protocol import Method

METHODS: Final[Registry[Method]] = TEACHERS

METHODS.register("prompt", "undertow.teachers.system_prompt", says="a system prompt")
METHODS.register("finetune", "undertow.teachers.fine_tuning", says="an adapter that has learned the trait's lessons")
METHODS.register("steer", "undertow.teachers.steering", says="a vector that is added to a layer's outputs")
METHODS.register(
    "gradient-ascent",
    "undertow.teachers.gradient_ascent",
    says="plain steps up the gradient of the trait's log-odds",
    aliases=[CLIMB],
)
