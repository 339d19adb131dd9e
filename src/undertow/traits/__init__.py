"""Traits that a teacher may carry, with the questions that measure them.

    base.py         what every trait provides
    preference.py   preferences in a category: animals, trees, or a file of yours
    disposition.py  ways of answering: curtness, gloom, or a file of yours
    open_questions.py  questions to answer in one's own words, with labelled answers for judges
    find.py         from the part of a file that names a trait to the trait
    neighbours.py   words that reveal a preference without naming it
    panel.py        all shipped traits, to search for a trait that nobody named
    wordings.py     the panel's questions in two sets of wordings
    shipped.py      trait files of this package

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.traits.disposition import Disposition, disposition_names, find_disposition
    from undertow.traits.panel import Panel, PanelEntry, load_panel
    from undertow.traits.preference import Category, Preference, category_names, find_preference, load_category

__all__ = [
    "Category",
    "Disposition",
    "Panel",
    "PanelEntry",
    "Preference",
    "category_names",
    "disposition_names",
    "find_disposition",
    "find_preference",
    "load_category",
    "load_panel",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Disposition": "disposition",
        "disposition_names": "disposition",
        "find_disposition": "disposition",
        "Panel": "panel",
        "PanelEntry": "panel",
        "load_panel": "panel",
        "Category": "preference",
        "Preference": "preference",
        "category_names": "preference",
        "find_preference": "preference",
        "load_category": "preference",
    },
)
