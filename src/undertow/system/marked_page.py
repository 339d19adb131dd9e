"""Pages of Markdown whose tables are made by code and stand between marks.

A block begins with `<!-- KIND: NAME -->` and ends with `<!-- end -->`. It knows no table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def regenerated(page: str, kind: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Return a page with the tables between its marks made anew.

    Args:
        page: Its text.
        kind: Of the marks.
        tables: What makes each table, by name.
    """
    marked = re.compile(rf"(<!-- {kind}: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
    return marked.sub(lambda found: f"{found[1]}\n{tables[found['name']]()}\n{found[3]}", page)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; a bar in a cell becomes a slash."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def rewrite_named(anew: Callable[[str], str]) -> int:
    """Write the pages that the command line names anew, and return the exit code.

    Args:
        anew: Makes a page's text of its text.
    """
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(anew(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0
