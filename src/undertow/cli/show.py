"""Tables and text on stdout: fitted to a terminal, plain and never cut where a program or a file reads along.

What is written may come from data, models or file names, so it is cleaned of what a terminal would obey.

    say("7 steps")
    table(["name", "size"], [["owl", "3 MB"]])
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from undertow.system.names import with_marks

if TYPE_CHECKING:
    from rich.console import Console

_WIDE: Final = 100_000
"""Columns where nobody watches: a table takes what it needs."""


def say(line: str = "", *, style: str = "") -> None:
    """Print one line, in colour where the terminal has any."""
    # Soft wrapping leaves a path whole, so that it can be clicked and copied.
    _console().print(clean(line), style=style or None, markup=False, highlight=False, emoji=False, soft_wrap=True)


def write(text: str) -> None:
    """Print text for a program: as it is, but for characters that act without being seen, which JSON can escape."""
    from undertow.report.words import visible_json

    sys.stdout.write(visible_json(text))


def hint(line: str) -> None:
    """Print one line that a user should know on stderr, so that stdout holds the answer alone."""
    sys.stderr.write(f"note: {clean(line)}\n")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table; where it does not fit the terminal, one block of lines per row.

    Args:
        heads: Titles of the columns.
        rows: Cells, as many as there are titles.
        right: Titles of the columns that hold numbers.
    """
    from rich.box import SIMPLE_HEAD
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = _console()
    cells = [[" ".join(clean(cell).split()) for cell in row] for row in rows]
    shown = Table(box=SIMPLE_HEAD if _watched() else None, pad_edge=False, show_edge=False, header_style="bold")
    for head in heads:
        shown.add_column(head, justify="right" if head in right else "left", no_wrap=True)
    for row in cells:
        shown.add_row(*map(Text, row))
    if not _watched():
        with console.capture() as captured:
            console.print(shown)
        # Rich fills the last column with spaces.
        write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    elif Measurement.get(console, console.options.update(width=_WIDE), shown).maximum <= console.width:
        console.print(shown)
    else:
        wide = max(map(len, heads))
        for place, row in enumerate(cells):
            if place:
                say()
            for head, cell in zip(heads, row, strict=True):
                say(f"{head:<{wide}}  {cell}")


def clean(text: str) -> str:
    """Blank out what a terminal would obey: text may come from a stranger's file or its name."""
    return "".join(char if char.isprintable() or char in "\n\ufffd" else " " for char in with_marks(text))


def byte_size(count: int) -> str:
    """Write a number of bytes for people: `4 kB`, `98 MB`, `1.2 GB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            value = count / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{count} bytes"


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if _watched() else _WIDE)


def _watched() -> bool:
    # Not rich's is_terminal: FORCE_COLOR makes that true for a file.
    return sys.stdout.isatty()
