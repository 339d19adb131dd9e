"""Every number and verdict of a results.json, by its place."""

from collections.abc import Iterator
from typing import Any

ASIDE = {"environment", "settings"}
"""Parts of results.json that say what was asked and where it ran."""


def numbers(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number of a JSON value and every verdict, by its place."""
    if isinstance(value, dict):
        for key, each in value.items():
            if place or key not in ASIDE:
                yield from numbers(each, f"{place}/{key}")
    elif isinstance(value, list):
        yield f"{place}/length", len(value)
        for at, each in enumerate(value):
            yield from numbers(each, f"{place}/{at}")
    elif isinstance(value, int | float) or value is None or place.endswith("/status"):
        yield place, value
