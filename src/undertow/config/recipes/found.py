"""What was read from a recipe file: the recipe, and what became of every key of the file.

It does not know how a file is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from undertow.config.recipes.spec import RecipeSpec

_SECRET: Final = re.compile(r"token$|secret|password|api_?key|webhook", re.IGNORECASE)
_LONGEST: Final = 80
"""Characters of a value that is shown."""


@dataclass(frozen=True)
class Key:
    """One key of a file."""

    name: str
    """As it stands in the file; keys that lead to it come first, with dots between."""
    value: Any
    line: int | None = None
    """From 1; None in JSON."""
    says: str = ""
    """Of a key that is taken, the fields of the recipe; else why it is not, or the nearest known key."""

    @property
    def shown(self) -> str:
        """Its value for people; what may be a secret is left out."""
        if self.value is not None and _SECRET.search(self.name):
            return "(not shown)"
        text = {True: "true", False: "false", None: "null"}.get(self.value) if _is_word(self.value) else None
        text = text or (self.value if isinstance(self.value, str) else repr(self.value))
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@dataclass(frozen=True)
class RecipeFile:
    """A recipe as it was read."""

    spec: RecipeSpec
    kind: str
    """Name of the format."""
    path: str
    """The file, or the name of a preset."""
    taken: tuple[Key, ...]
    harmless: tuple[Key, ...]
    """Keys that do not change what a student learns, and keys that are switched off."""
    not_modelled: tuple[Key, ...]
    """Keys that may change what a student learns, and that training here does not obey."""
    unknown: tuple[Key, ...]
    notes: tuple[str, ...]
    """What was assumed, and what else a user should know."""
    digest: str
    """SHA-256 of what was read, as hex; of the file and of PEFT's file beside it."""

    def told(self) -> list[str]:
        """Return what a user must know before the recipe is used, a line each."""
        return [
            *self.notes,
            *(f"not modelled: {key.name} = {key.shown}{_after(key)}" for key in self.not_modelled),
            *(f"not known: {key.name} = {key.shown}{_after(key)}" for key in self.unknown),
        ]


def _after(key: Key) -> str:
    return f" ({key.says})" if key.says else ""


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)
