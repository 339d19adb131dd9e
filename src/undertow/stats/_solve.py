"""Finding where a function changes sign. Bisection: the functions here are cheap and may jump."""

from __future__ import annotations

from collections.abc import Callable


def crossing(f: Callable[[float], float], negative: float, positive: float) -> float:
    """Return the point, to the last bit, where `f` stops having its sign at `negative`."""
    while True:
        middle = negative + (positive - negative) / 2
        if middle in (negative, positive):
            return positive
        if f(middle) > 0:
            positive = middle
        else:
            negative = middle
