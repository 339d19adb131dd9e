"""Pages whose tables stand between `<!-- figures: NAME -->` and `<!-- end -->`, or under `<!-- unbacked: NAME -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

from benchmarks.figures.table import Table

_BLOCK = re.compile(r"(<!-- figures: (\S+) -->\n\n?)(.*?)(\n?<!-- end -->)", re.DOTALL)
_UNBACKED = re.compile(r"<!-- unbacked: (\S+) -->")


def regenerated(page: str, tables: Mapping[str, Callable[[], Table]]) -> str:
    """Return a page with every generated table computed anew.

    Raises:
        KeyError: a block names a table that there is none of.
    """
    return _BLOCK.sub(
        lambda found: f"<!-- figures: {found[2]} -->\n\n{tables[found[2]]().markdown()}\n<!-- end -->", page
    )


def shown(page: str) -> list[str]:
    """Return the names of the generated tables of a page."""
    return [found[2] for found in _BLOCK.finditer(page)]


def unaccounted(page: str, unbacked: Container[str]) -> list[str]:
    """Return the first line of every table that is neither generated nor under the name of an unbacked one."""
    lines = _BLOCK.sub("", page).splitlines()
    found: list[str] = []
    for at, line in enumerate(lines):
        if line.startswith("|") and not (at and lines[at - 1].startswith("|")):
            above = next((each for each in reversed(lines[:at]) if each.strip()), "")
            marked = _UNBACKED.fullmatch(above.strip())
            if marked is None or marked[1] not in unbacked:
                found.append(line)
    return found
