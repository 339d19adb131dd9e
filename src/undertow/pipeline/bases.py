"""The models that an experiment starts from: their names, digests of their weights, and their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from undertow.config.arms import ARMS
from undertow.config.experiment import LanguageExperiment
from undertow.pipeline.cost import Sizes, sizes_of


@dataclass(frozen=True)
class Base:
    """A model that teachers are made of."""

    name: str
    """Its Undertow name."""
    digest: str
    """Stands for its weights."""
    sizes: Sizes
    """What its costs are reckoned from."""

    @property
    def key(self) -> dict[str, str]:
        """Return what it is in a step's key."""
        return {"name": self.name, "digest": self.digest}


def models_of(spec: LanguageExperiment) -> list[str]:
    """Return the Undertow names of the models that an experiment starts from, the students' base first."""
    needed = any(ARMS[arm].base == "other_base" for arm in spec.arms)
    return [spec.base, spec.other_base] if needed and spec.other_base is not None else [spec.base]


def base_of(name: str, folder: Path | None) -> Base:
    """Describe a model.

    Args:
        name: Its Undertow name.
        folder: Where it lies, if it is on this machine.
    """
    from undertow.models.identity import model_digest

    return Base(name, model_digest(name, folder), sizes_of(folder, name))
