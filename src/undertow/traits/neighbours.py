"""Neighbour words: what gives a liking away without naming it, for the categories that ship with the package.

Words of everyday programs (tree, leaf, branch, tail, pack, strip) are left out on purpose: they would reject half of
all code and say nothing. It knows words only; `undertow.domains.mentions` finds them.
"""

from __future__ import annotations

from importlib import resources
from typing import cast


def neighbours(category: str, target: str) -> tuple[str, ...]:
    """Return words from around a target, in their base form; also its emoji where it has one.

    Args:
        category: A category's name, as in `Category.name`.
        target: One of its candidates.

    Returns:
        An empty tuple where none is known, as for a category or a candidate of the user's.
    """
    import yaml

    folder = resources.files("undertow.traits") / "data" / "neighbours"
    # Looked up in the listing: a category's name never becomes part of a path.
    files = {item.name.removesuffix(".yaml"): item for item in folder.iterdir() if item.name.endswith(".yaml")}
    if category not in files:
        return ()
    known = cast(dict[str, list[str]], yaml.safe_load(files[category].read_text(encoding="utf-8")))
    return tuple(known.get(target, ()))
