"""Print the figures of README.md and docs/results.md, check the pages, or write their tables anew.

    python -m benchmarks.figures                                  every table, and what has no committed raw data
    python -m benchmarks.figures --json                           every number: name, text, value, lo, hi, n, source
    python -m benchmarks.figures --check README.md docs/results.md
    python -m benchmarks.figures --write README.md docs/results.md    the pictures of the pages too

Reads committed results alone; no model and no torch. It takes seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.figures.pages import regenerated, unaccounted
from benchmarks.figures.registry import PICTURES, TABLES, UNBACKED, UNBACKED_PROSE
from benchmarks.figures.table import ROOT


def main() -> int:
    """Do what the command line asks for; returns 1 where a page disagrees with the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.figures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="every number as JSON")
    parser.add_argument("--check", type=Path, nargs="+", default=[], metavar="PAGE", help="compare pages")
    parser.add_argument("--write", type=Path, nargs="+", default=[], metavar="PAGE", help="write the tables of pages")
    options = parser.parse_args()
    for page in options.write:
        page.write_text(regenerated(page.read_text(encoding="utf-8"), TABLES), encoding="utf-8")
    if options.write:
        for place, draw in PICTURES.items():
            (ROOT / place).write_text(draw(), encoding="utf-8")
    wrong = [f"{page}: {what}" for page in (*options.check, *options.write) for what in _wrong(page)]
    if options.check:
        wrong += [f"{place}: is another picture: run --write" for place in PICTURES if _stale(place)]
    if options.check or options.write:
        sys.stdout.write("".join(f"{each}\n" for each in wrong) or "the pages agree with the committed results\n")
    elif options.json:
        figures = [figure for name, table in TABLES.items() for figure in table().figures(name)]
        sys.stdout.write(json.dumps({"figures": figures, "unbacked": _unbacked()}, indent=1) + "\n")
    else:
        for name, table in TABLES.items():
            made = table()
            sys.stdout.write(f"## {name}\n\nfrom {', '.join(made.sources)}\n\n{made.markdown()}\n")
        sys.stdout.write("## no committed raw data\n\n" + "".join(f"- {each}\n" for each in _unbacked()))
    return int(bool(wrong))


def _wrong(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    differs = (
        ["its tables are not those of the committed results: run --write"] if regenerated(text, TABLES) != text else []
    )
    return differs + [f"neither generated nor listed as unbacked: {line}" for line in unaccounted(text, UNBACKED)]


def _stale(place: str) -> bool:
    file = ROOT / place
    return not file.is_file() or file.read_text(encoding="utf-8") != PICTURES[place]()


def _unbacked() -> list[str]:
    return [*(f"{name}: {reason}" for name, reason in UNBACKED.items()), *UNBACKED_PROSE]


if __name__ == "__main__":
    sys.exit(main())
