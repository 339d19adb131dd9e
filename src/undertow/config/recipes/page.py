"""The tables of docs/recipes.md, made from the tables that the readers use.

python -m undertow.config.recipes.page docs/recipes.md     writes the tables between the page's marks anew
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from functools import partial
from typing import Any, Final

from undertow.config.recipes.format import Format
from undertow.config.recipes.formats import FORMATS
from undertow.config.recipes.load import load_recipe, recipe_presets
from undertow.system import marked_page
from undertow.system.marked_page import rewrite_named, table


def formats() -> str:
    """Return the table of formats."""
    rows = [[form.title, _keys(form.marks), form.source] for form in map(FORMATS.get, FORMATS.own_names())]
    return table(["format", "told from any of the keys", "names and defaults are those of"], rows)


def presets() -> str:
    """Return the table of presets: what differs from the defaults of Undertow's own recipes."""
    rows: list[list[str]] = []
    for name in recipe_presets():
        said = load_recipe(name).taken
        rows.append([f"`{name}`", ", ".join(f"{key.name} {key.shown}" for key in said if key.value is not None)])
    return table(["preset", "what it says"], rows)


def keys_of(form: Format) -> str:
    """Return the tables of a format's keys."""
    taken = [[_keys([key]), _keys(sets.split(", "))] for key, sets in form.taken.items()]
    text = table(["key that is taken", "settings of the recipe"], taken)
    if form.not_modelled:
        left = [[_keys([key]), _values(off)] for key, off in form.not_modelled.items()]
        text += "\n" + table(["key that is not modelled", "values that change nothing"], left)
    if form.harmless:
        letters = sorted({each[0] for each in form.harmless})
        plain = [[letter, _keys(sorted(each for each in form.harmless if each[0] == letter))] for letter in letters]
        text += "\n" + table(["letter", "keys that do not change what a student learns"], plain)
    return text


TABLES: Final = {
    "formats": formats,
    "presets": presets,
    **{name: partial(keys_of, FORMATS.get(name)) for name in FORMATS.own_names()},
}


def regenerated(page: str) -> str:
    """Return a page with the tables between its marks made anew."""
    return marked_page.regenerated(page, "recipes", TABLES)


def _values(off: Collection[Any]) -> str:
    """Return the values that stand for nothing, but for null and the like; long ones are left out."""
    shown = [str(each).lower() if isinstance(each, bool) else str(each) for each in off if not isinstance(each, dict)]
    return _keys(dict.fromkeys(each.removesuffix(".0") for each in shown))


def _keys(keys: Collection[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)


if __name__ == "__main__":
    sys.exit(rewrite_named(regenerated))
