"""A teacher that is told to have the trait: the base under a system prompt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from undertow.config.experiment import SystemPrompt
from undertow.models.local import load_base
from undertow.models.prompted import PromptedModel
from undertow.models.protocol import Model
from undertow.traits.base import Trait


def make(base: str, trait: Trait, how: SystemPrompt, folder: Path, *, seed: int, tick: Callable[[float], None]) -> None:
    """See that the prompt can be filled in; nothing is stored."""
    trait.system_prompt(_wording(how))


def load(base: str, trait: Trait, how: SystemPrompt, folder: Path | None, *, dtype: str) -> Model:
    """Return the base under the prompt."""
    return PromptedModel(load_base(base, dtype=dtype), system=trait.system_prompt(_wording(how)))


def _wording(how: SystemPrompt) -> str | None:
    """Return the wording of one teacher; which of several it is was chosen by the experiment."""
    assert not isinstance(how.text, tuple)
    return how.text
