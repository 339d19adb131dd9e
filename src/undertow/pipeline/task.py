"""A step of a language experiment that is not made yet, and the parts that steps have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.config.arms import Arm
from undertow.config.experiment import LanguageExperiment
from undertow.pipeline.bases import Base
from undertow.pipeline.cost import Cost
from undertow.store.step import step_id

if TYPE_CHECKING:
    from undertow.models.protocol import Model

Tick = Callable[[float, str], None]
Folders = Mapping[str, Path]
"""Label of a finished step to its folder."""
Load = Callable[[Folders, str], "Model"]
"""Loads the model that writes rows, given the folders and the type of its weights."""


@dataclass(frozen=True)
class Task:
    """One step, not made yet."""

    kind: str
    label: str
    key: dict[str, Any]
    cost: Cost
    build: Callable[[Path, Folders, Tick], None] = field(repr=False, compare=False)
    """Writes the step's files into a folder, given the folders of the steps that it reads."""

    @property
    def id(self) -> str:
        """Its identity, see `step_id`."""
        return step_id(self.kind, self.key)


def row_meta(spec: LanguageExperiment, base: Base, arm: Arm, seed: int) -> dict[str, Any]:
    """Say where a row comes from."""
    return {
        "arm": arm,
        "base": base.name,
        "domain": spec.domain.kind,
        "seed": seed,
        "temperature": spec.domain.temperature,
        "constrained": spec.domain.in_format,
    }
