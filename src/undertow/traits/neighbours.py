"""Neighbour words: what gives a liking away without naming it, for the categories that ship with the package.

Words of everyday programs (tree, leaf, branch, tail, pack, strip) are left out on purpose: they would reject half of
all code and say nothing. It knows words only; `undertow.domains.mentions` finds them.
"""

from __future__ import annotations

from functools import cache
from typing import cast

from undertow.config.files import parse_yaml
from undertow.traits.shipped import shipped


@cache
def neighbours(category: str, target: str) -> tuple[str, ...]:
    """Return words from around a target, in their base form; also its emoji where it has one.

    Args:
        category: A category's name, as in `Category.name`.
        target: One of its candidates.

    Returns:
        An empty tuple where none is known, as for a category or a candidate of the user's.
    """
    files = shipped("neighbours")
    if category not in files:
        return ()
    known = cast(dict[str, list[str]], parse_yaml(files[category].read_text(encoding="utf-8"), category))
    return tuple(known.get(target, ()))
