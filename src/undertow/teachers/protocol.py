"""What a method can do that puts a trait into a model, Undertow's own or a plugin's.

A method is a module or an object with `make` and `load`. A plugin's may have `Options`, a pydantic model of what it
takes; without one it is given the mapping of the experiment file as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from undertow.models.protocol import Model
from undertow.traits.base import Trait


class Method(Protocol):
    """From a trait to a teacher."""

    def make(
        self, base: str, trait: Trait, how: Any, folder: Path, *, seed: int, tick: Callable[[float], None]
    ) -> None:
        """Make a teacher and write what it adds to the base into a folder; nothing where `load` makes it again.

        Args:
            base: The base's Undertow name.
            trait: What is put in.
            how: The method's settings: its part of the experiment file, or a plugin's options.
            folder: Receives files, safetensors as a rule.
            seed: Fixes what is drawn at random.
            tick: Is told the share of the work that is done.
        """
        ...

    def load(self, base: str, trait: Trait, how: Any, folder: Path | None, *, dtype: str) -> Model:
        """Load a teacher that `make` has made.

        Args:
            base: The base's Undertow name.
            trait: What was put in.
            how: As for `make`.
            folder: Where `make` put it.
            dtype: Of the weights, see `load_base`.
        """
        ...
