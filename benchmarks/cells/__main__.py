"""The store of cells: students that were trained once and asked everything.

    python -m benchmarks.cells plan STUDY.yaml
    python -m benchmarks.cells next STUDY.yaml --minutes 20
    python -m benchmarks.cells show STUDY.yaml

`plan` says what is missing and how long it takes. `next` fills missing cells and keeps each as it comes. `show` gives
the shifts of every student, and what they claim. README.md says what a study file holds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cells.claims import claims
from benchmarks.cells.design import Cell, Design, design_of
from benchmarks.cells.pools import Pools
from benchmarks.cells.store import KEPT, State, forecast, state_of, take
from benchmarks.cells.study import read_study
from benchmarks.cells.tables import matrices
from undertow.assets.cache import cache_dir
from undertow.errors import InputError, UndertowError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        design = design_of(read_study(options.study))
        state = state_of(design, options.kept)
        return {"plan": _plan, "next": _next, "show": _show}[options.verb](design, state, options)
    except UndertowError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("stopped: what is kept stays, and `next` goes on from there\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cells", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="plan|next|show")
    for verb, says in (
        ("plan", "say which cells there are, which are missing, and how long they take"),
        ("next", "fill missing cells in the order of the design"),
        ("show", "show the shifts of every student"),
    ):
        sub = verbs.add_parser(verb, help=says, description=says)
        sub.add_argument("study", type=Path, help="a study file")
        sub.add_argument("--kept", type=Path, default=KEPT, help="folder of the cells (default: the one in git)")
        sub.add_argument("--json", action="store_true", help="write JSON to standard output")
        if verb != "show":
            sub.add_argument("--shard", default="1/1", help="i/n: only this part of the cells, whole sets of rows")
            for name in ("domain", "recipe", "teacher"):
                sub.add_argument(f"--{name}", default="*", metavar="PATTERN", help=f"only cells of such a {name}")
        if verb == "next":
            sub.add_argument("--minutes", type=float, default=float("inf"), help="begin no cell that would end later")
            sub.add_argument("--rows", type=Path, default=None, help="folder of rows (default: Undertow's cache)")
    return parser


def _part(design: Design, options: argparse.Namespace) -> tuple[Cell, ...]:
    found = re.fullmatch(r"(\d+)/(\d+)", options.shard)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"{options.shard!r} is no shard", "--shard", "Say 1/4 to 4/4 for four machines.")
    chosen = design.chosen(domain=options.domain, recipe=options.recipe, teacher=options.teacher)
    if not any(cell.kind == "student" for cell in chosen):
        raise InputError(
            "no student has such names",
            "--domain, --recipe, --teacher",
            "Take names of the study file, or patterns such as 'owl-*'.",
        )
    part = {cell.digest for cell in design.shard(int(found[1]), int(found[2]))}
    return tuple(cell for cell in chosen if cell.digest in part)


def _plan(design: Design, state: State, options: argparse.Namespace) -> int:
    cells = _part(design, options)
    todo = dict(zip((cell.digest for cell in state.missing(cells)), forecast(design, state, cells), strict=True))
    records = [
        {
            "cell": cell.digest,
            "label": cell.label,
            "state": "kept" if cell.digest in state.kept else "damaged" if cell.digest in state.damaged else "missing",
            "minutes": round(todo[cell.digest] / 60, 2) if cell.digest in todo else 0.0,
        }
        for cell in cells
    ]
    total = round(sum(todo.values()) / 60, 1)
    if options.json:
        _json({"study": design.study.name, "cells": records, "minutes": total, "measured": state.speed.measured})
        return 0
    for each in records:
        minutes = f"{each['minutes']:6.1f} min" if each["minutes"] else " " * 10
        sys.stdout.write(f"{each['state']:8}{minutes}  {each['cell']}  {each['label']}\n")
    _tell_damaged(state)
    for name, recipe in design.study.recipes.items():
        for line in recipe.told:
            sys.stdout.write(f"recipe {name}: {line}\n")
    how = "by the speed of earlier cells" if state.speed.measured else "by a guess: no cell of this base is kept"
    sys.stdout.write(f"{len(cells)} cells, {len(todo)} to fill, {total} min ({how})\n")
    return 0


def _next(design: Design, state: State, options: argparse.Namespace) -> int:
    _tell_damaged(state)
    cells = _part(design, options)
    pools = Pools(options.rows or cache_dir() / "cells", design, lambda said: _tell(f"    {said}"))
    done = take(design, state, cells, pools, folder=options.kept, minutes=options.minutes, tell=_tell)
    left = state.missing(cells)
    if options.json:
        _json({"filled": [cell.digest for cell in done], "missing": [cell.digest for cell in left]})
    else:
        sys.stdout.write(f"{len(done)} cells filled, {len(left)} still missing\n")
    return 0


def _show(design: Design, state: State, options: argparse.Namespace) -> int:
    found, claimed = matrices(design, state), claims(design, state)
    if options.json:
        tables = [each.record() for each in found]
        _json({"study": design.study.name, "tables": tables, "claims": [each.record() for each in claimed]})
        return 0
    _tell_damaged(state)
    sys.stdout.write("\n".join(each.text() for each in (*found, *claimed)) or "no student is there yet\n")
    missing = len(state.missing(design.cells))
    if missing:
        sys.stdout.write(f"\n{missing} of {len(design.cells)} cells are missing\n")
    return 0


def _tell_damaged(state: State) -> None:
    for said in state.damaged.values():
        _tell(f"damaged: {said}")


def _tell(said: str) -> None:
    sys.stderr.write(said + "\n")
    sys.stderr.flush()


def _json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
