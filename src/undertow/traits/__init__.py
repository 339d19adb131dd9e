"""What a teacher may carry: a preference for one target of a category, how it is instilled and how it is asked for.

    preference.py   categories (animals, trees, or a file of yours), prompts and sentences made from them
    instil.py       system prompt, fine-tuning, steering vector: from a trait to a teacher

The public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Category": "undertow.traits.preference",
    "Preference": "undertow.traits.preference",
    "category_names": "undertow.traits.preference",
    "find_preference": "undertow.traits.preference",
    "load_category": "undertow.traits.preference",
    "Teacher": "undertow.traits.instil",
    "instil": "undertow.traits.instil",
}

__all__ = [*_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'undertow.traits' has no attribute {name!r}")
