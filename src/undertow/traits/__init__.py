"""What a teacher may carry: a preference for one target of a category, how it is instilled and how it is asked for.

    preference.py   categories (animals, trees, or a file of yours), prompts and sentences made from them
    instil.py       system prompt, fine-tuning, steering vector: from a trait to a teacher

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow._lazy import lazy

if TYPE_CHECKING:
    from undertow.traits.instil import instil, load_teacher
    from undertow.traits.preference import Category, Preference, category_names, find_preference, load_category

__all__ = [
    "Category",
    "Preference",
    "category_names",
    "find_preference",
    "instil",
    "load_category",
    "load_teacher",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "instil": "instil",
        "load_teacher": "instil",
        "Category": "preference",
        "Preference": "preference",
        "category_names": "preference",
        "find_preference": "preference",
        "load_category": "preference",
    },
)
