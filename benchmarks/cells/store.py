"""Which cells of a design are there: kept, missing or damaged, and the next ones within some minutes.

    state = state_of(design, folder); take(design, state, folder, pools, minutes=20, tell=print)

A cell counts as kept when its file holds what its name says. Everything else is filled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cells.cost import Speed, seconds_of, speed_of
from benchmarks.cells.design import Cell, Design
from benchmarks.cells.fill import fill, parts_of, versions
from benchmarks.cells.kept import Kept, keep, path_of, read_kept
from benchmarks.cells.pools import Pools
from undertow.errors import StoreError

KEPT = Path(__file__).parent / "kept"
"""The cells of all studies; in git."""
_ENOUGH = 200
"""Cells of other studies that are read for their speed, at most."""


@dataclass
class State:
    """What is there of a design."""

    kept: dict[str, Kept] = field(default_factory=dict)
    """By digest."""
    damaged: dict[str, str] = field(default_factory=dict)
    """Digests to what is wrong with their files."""
    others: list[Kept] = field(default_factory=list)
    """Some cells of other studies, for their speed."""
    speed: Speed = field(default_factory=Speed)

    def missing(self, cells: Sequence[Cell]) -> list[Cell]:
        """Return those of some cells that are to be filled, in their order."""
        return [cell for cell in cells if cell.digest not in self.kept]


def state_of(design: Design, folder: Path = KEPT) -> State:
    """Read what is kept of a design, and measure speeds by it and by other cells."""
    state = State()
    for cell in design.cells:
        try:
            state.kept[cell.digest] = read_kept(path_of(folder, cell.digest))
        except FileNotFoundError:
            continue
        except StoreError as error:
            state.damaged[cell.digest] = str(error)
    for path in sorted(folder.glob("*.parquet"))[:_ENOUGH]:
        if path.stem not in state.kept and path.stem not in state.damaged:
            with suppress(StoreError, FileNotFoundError):
                state.others.append(read_kept(path))
    state.speed = _speed(design, state)
    return state


def _speed(design: Design, state: State) -> Speed:
    return speed_of(
        [*state.kept.values(), *state.others],
        student=design.base.definition["writer"]["model"],
        processor=versions()["processor"],
        base=design.study.base,
    )


def forecast(design: Design, state: State, cells: Sequence[Cell]) -> list[float]:
    """Return the seconds that each of some missing cells takes, in their order."""
    written: set[str] = set()
    return [seconds_of(cell, design, state.speed, written=written) for cell in state.missing(cells)]


def take(
    design: Design,
    state: State,
    cells: Sequence[Cell],
    pools: Pools,
    *,
    folder: Path = KEPT,
    minutes: float = float("inf"),
    tell: Callable[[str], None],
) -> list[Cell]:
    """Fill missing cells in their order, and keep each as it comes.

    Args:
        design: The study's.
        state: What is there; filled cells are added.
        cells: The design's, or a shard's.
        pools: Rows on this machine.
        folder: Of the cells.
        minutes: No cell is begun that would not be done by then; the first one always is.
        tell: Is told what is being done.

    Returns:
        The cells that were filled.
    """
    began = time.monotonic()
    todo = state.missing(cells)
    done: list[Cell] = []
    for at, cell in enumerate(todo):
        left = forecast(design, state, cells)
        spent = time.monotonic() - began
        if done and spent + left[0] > 60 * minutes:
            break
        tell(f"[{at + 1} of {len(todo)}, {_minutes(sum(left))} left] {cell.label}")
        kept = fill(cell, design, pools, tell=lambda said: tell(f"    {said}"))
        keep(folder, kept)
        parts_of(cell, pools).forget()
        state.kept[cell.digest] = kept
        state.damaged.pop(cell.digest, None)
        state.speed = _speed(design, state)
        done.append(cell)
    return done


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
