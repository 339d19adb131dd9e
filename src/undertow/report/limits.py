"""How much of each thing a page shows, so that it stays small whatever a run holds.

`LADDER` goes from generous to bare: the page is made with the first rung that fits. Whatever is left out is
counted on the page, with the place where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

T = TypeVar("T")

MAX_BYTES = 300_000
"""A page may not be longer: it is mailed, attached to tickets and opened on phones."""


@dataclass(frozen=True)
class Limits:
    """The most that is shown: counts of things, and lengths in characters."""

    rows: int = 40
    """Rows of a table or plot, notes, lines."""
    arms: int = 8
    """Columns, or lines of a plot."""
    points: int = 60
    """Points of a curve."""
    samples: int = 12
    top: int = 8
    """Most frequent answers of a model, reasons of a funnel."""
    name: int = 100
    """Characters of a name."""
    text: int = 700
    """Characters of a sentence or prompt."""
    answer: int = 700
    """Characters of a sampled row."""
    block: int = 14_000
    """Characters of the settings."""

    def shrunk(self, factor: float) -> Limits:
        """Return the same limits times `factor`, none below what still says something."""
        return replace(self, **{field.name: max(2, int(getattr(self, field.name) * factor)) for field in fields(self)})


LADDER = tuple(Limits().shrunk(factor) for factor in (1, 0.6, 0.35, 0.2, 0.1, 0.05))


def cut(items: Sequence[T], most: int) -> tuple[list[T], int]:
    """Return the first `most` items, and how many were left out."""
    return list(items[:most]), max(0, len(items) - most)
