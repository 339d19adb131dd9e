"""Which rows of a dataset are looked at: all of them, or a sample that depends on nothing but the rows themselves.

Prompts are sampled by a hash of their text, with all their rows, so the sample is the same whatever the order of the
file, a larger sample holds a smaller one, and a file of any size is read once with the sample alone in memory.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from undertow.data.files import BadRow, broken_rows, read_located
from undertow.data.rows import Row
from undertow.errors import RowError

SHARE = 0.15
"""Of a dataset's rows, looked at unless more is asked for, so that a scan takes at most a third of the time of an epoch
of training on a thousand rows (docs/speed.md); a virtual student takes as long again for some of them."""
FEWEST, MOST = 64, 512
"""Rows looked at unless more is asked for, at least and at most."""


@dataclass(frozen=True)
class Placed:
    """A row and where it stands."""

    file: Path
    number: int
    row: Row

    @property
    def prompt_hash(self) -> int:
        """Stands for what was asked; 60 bits."""
        text = "\x00".join(f"{turn['role']}\x01{turn['content']}" for turn in self.row.prompt)
        return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16)


@dataclass(frozen=True)
class Chosen:
    """The rows to look at, and what became of the others."""

    rows: list[Placed]
    """In the order of the file."""
    read: int
    """Rows of the dataset."""
    broken: list[BadRow] = field(default_factory=list[BadRow])
    skip_broken: bool = False
    """Whether rows that cannot be used are left out, instead of refusing the dataset."""

    @property
    def left_out(self) -> int:
        """Rows that are not in the sample."""
        return self.read - len(self.rows)


def choose_rows(
    path: Path,
    *,
    split: str | None = None,
    most: int | None = None,
    everything: bool = False,
    skip_broken: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Chosen:
    """Read a dataset and choose the rows to look at.

    Args:
        path: File or folder.
        split: Of a folder.
        most: Rows to look at, at most, however many there are; by default see `SHARE`.
        everything: Look at all rows.
        skip_broken: Leave lines out that are no rows.
        on_progress: Is told the number of rows read.

    Raises:
        RowError: the dataset cannot be read, has lines that are no rows, or no row at all.
    """
    groups: dict[int, list[Placed]] = {}
    largest: list[int] = []
    broken: list[BadRow] = []
    read = held = 0
    limit = None if everything else most or MOST
    for each in read_located(path, split=split):
        if isinstance(each.what, BadRow):
            broken.append(each.what)
            continue
        read += 1
        if read % 10_000 == 0:
            on_progress(read)
        placed = Placed(each.file, each.number, each.what)
        key = placed.prompt_hash
        if limit is not None and held >= limit and key > -largest[0]:
            continue
        if key not in groups:
            groups[key] = []
            heapq.heappush(largest, -key)
        if limit is not None and len(groups[key]) >= limit:
            continue  # of one prompt's rows the first: they are draws of one kind
        groups[key].append(placed)
        held += 1
        # The prompt with the largest hash goes as soon as the others are enough.
        while limit is not None and len(groups) > 1 and held - len(groups[-largest[0]]) >= limit:
            held -= len(groups.pop(-heapq.heappop(largest)))
    if broken and not skip_broken:
        raise broken_rows(broken, read, path)
    if not read:
        raise RowError("holds no rows", str(path), "Name a file with one row a line.")
    wanted = read if everything else min(read, most) if most else usual_count(read)
    chosen: list[Placed] = []
    for key in sorted(groups):
        if len(chosen) >= wanted:
            break
        chosen += groups[key]
    order = {(placed.file, placed.number): placed for placed in chosen}
    return Chosen([order[key] for key in sorted(order)], read, broken, skip_broken)


def usual_count(rows: int) -> int:
    """Return how many of a dataset's rows are looked at unless more is asked for."""
    return min(rows, max(FEWEST, min(MOST, round(SHARE * rows))))
