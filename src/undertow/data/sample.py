"""Which rows of a dataset are measured: all of them, or a sample that depends on nothing but the rows themselves.

Prompts are sampled by a hash of their text, with all their rows. So the sample does not depend on the order of the
file, and a larger sample holds a smaller one. A file of any size is read once, with the sample alone in memory.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from undertow.data.counts import Counts
from undertow.data.files import BadRow, LeftOut, broken_rows, read_located
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.rows import Loss, Message, Row, loss_weight
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
    """As it was read, or up to one of the turns that carry loss, see `answers_of`."""
    whole: Row | None = None
    """As it was read, where `row` is a part of it."""
    opening: tuple[Message, ...] | None = None
    """What stands before the first turn that carries loss, where that is not the last one."""
    weight: float = 1.0
    """What the loss of the answer's tokens is multiplied by, see `loss_weight`."""

    @property
    def prompt_hash(self) -> int:
        """Stands for what was asked first; 60 bits. The answers of one conversation have the same."""
        asked = self.row.prompt if self.opening is None else self.opening
        text = "\x00".join(f"{turn['role']}\x01{turn['content']}" for turn in asked)
        return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16)


def answers_of(placed: Placed, loss: Loss) -> list[Placed]:
    """Return a row once for each turn that carries loss, cut behind that turn.

    The loss of a conversation is the sum of theirs, each given what stands before it. So whatever is measured of rows
    with one answer is measured of these.

    Args:
        placed: A row as it was read.
        loss: Which turns carry loss, see `loss_turns`.
    """
    parts = placed.row.answers(loss)
    if parts == [placed.row]:
        return [replace(placed, weight=loss_weight(placed.row, loss))]
    return [
        Placed(placed.file, placed.number, part, placed.row, parts[0].prompt, loss_weight(part, loss)) for part in parts
    ]


def count_rows(rows: Iterable[Placed]) -> int:
    """Return how many rows of a dataset some answers belong to."""
    return len({(placed.file, placed.number) for placed in rows})


def row_numbers(rows: Iterable[Placed]) -> list[int]:
    """Return the row that each answer belongs to, numbered from 0 in the order of their first answers."""
    known: dict[tuple[Path, int], int] = {}
    return [known.setdefault((placed.file, placed.number), len(known)) for placed in rows]


@dataclass(frozen=True)
class Chosen:
    """The rows to look at, and what became of the others."""

    rows: list[Placed]
    """In the order of the file; one for each answer that carries loss."""
    read: int
    """Rows of the dataset that are trained on."""
    broken: list[BadRow] = field(default_factory=list[BadRow])
    skip_broken: bool = False
    """Whether rows that cannot be used are left out, instead of refusing the dataset."""
    untrained: Counter[str] = field(default_factory=Counter[str])
    """Rows that no training uses, by the reason; they are not among those read."""
    counts: Counts = field(default_factory=Counts)
    """What the rows hold beside plain answers."""
    shown: tuple[str, ...] = ()
    """What the student's chat template makes of the rows that are looked at."""

    @property
    def notes(self) -> list[str]:
        """What there is to say of the rows beside plain answers."""
        return [
            *self.counts.notes(),
            *self.shown,
            *(f"{count:,} rows are not trained on: {reason}" for reason, count in self.untrained.items()),
        ]

    @property
    def digest(self) -> str:
        """Sixteen hex digits that stand for the rows in the sample, and for how many were read."""
        ids = json.dumps([placed.row.id for placed in self.rows] + [str(self.read)])
        return hashlib.sha256(ids.encode()).hexdigest()[:16]

    @property
    def left_out(self) -> int:
        """Rows that are not in the sample."""
        return self.read - count_rows(self.rows)


def choose_rows(
    path: Path,
    *,
    split: str | None = None,
    most: int | None = None,
    everything: bool = False,
    skip_broken: bool = False,
    reading: Reading = RECOGNISED,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Chosen:
    """Read a dataset and choose the rows to measure.

    Args:
        path: File or folder.
        split: Of a folder.
        most: Rows to look at, at most, however many there are; by default see `SHARE`.
        everything: Look at all rows.
        skip_broken: Leave lines out that are no rows.
        reading: How the records become rows, and which turns carry loss.
        on_progress: Is told the number of rows read.

    Raises:
        RowError: the dataset cannot be read, has lines that are no rows, or no row at all.
    """
    groups: dict[int, list[Placed]] = {}
    largest: list[int] = []
    seen = _Seen(counts=Counts(reading.loss))
    held = 0
    limit = None if everything else most or MOST
    for placed in _trained_on(path, seen, split=split, reading=reading, on_progress=on_progress):
        key = answers_of(placed, reading.loss)[0].prompt_hash
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
    read = seen.read
    wanted = read if everything else min(read, most) if most else usual_count(read)
    chosen: list[Placed] = []
    for key in sorted(groups):
        if len(chosen) >= wanted:
            break
        chosen += groups[key]
    order = {(placed.file, placed.number): placed for placed in chosen}
    rows = [answer for key in sorted(order) for answer in answers_of(order[key], reading.loss)]
    return seen.chosen(rows, path, skip_broken=skip_broken)


def read_whole(path: Path, *, skip_broken: bool = False, reading: Reading = RECOGNISED) -> Chosen:
    """Read every row of a dataset that is trained on, whole and in the order of its files.

    Args:
        path: File or folder.
        skip_broken: Leave lines out that are no rows.
        reading: How the records become rows, and which turns carry loss.

    Raises:
        RowError: as `choose_rows` does.
    """
    seen = _Seen(counts=Counts(reading.loss))
    return seen.chosen([*_trained_on(path, seen, reading=reading)], path, skip_broken=skip_broken)


@dataclass
class _Seen:
    """What a dataset holds, while it is read."""

    counts: Counts
    read: int = 0
    broken: list[BadRow] = field(default_factory=list[BadRow])
    untrained: Counter[str] = field(default_factory=Counter[str])

    def chosen(self, rows: list[Placed], path: Path, *, skip_broken: bool) -> Chosen:
        """Return rows with what became of the others.

        Raises:
            RowError: there are broken rows that are not to be left out, or there is no row at all.
        """
        if self.broken and not skip_broken:
            raise broken_rows(self.broken, self.read, path)
        if not self.read:
            raise RowError("holds no rows", str(path), "Name a file with one row a line.")
        return Chosen(rows, self.read, self.broken, skip_broken, self.untrained, self.counts)


def _trained_on(
    path: Path,
    seen: _Seen,
    *,
    split: str | None = None,
    reading: Reading,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Placed]:
    """Yield the rows that are trained on, in the order of the files, and count what else there is."""
    for each in read_located(path, split=split, reading=reading):
        if isinstance(each.what, LeftOut):
            seen.untrained[each.what.reason] += 1
        elif isinstance(each.what, BadRow):
            seen.broken.append(each.what)
        else:
            seen.read += 1
            if seen.read % 10_000 == 0:
                on_progress(seen.read)
            seen.counts.add(each.what)
            yield Placed(each.file, each.number, each.what)


def usual_count(rows: int) -> int:
    """Return how many of a dataset's rows are looked at unless more is asked for."""
    return min(rows, max(FEWEST, min(MOST, round(SHARE * rows))))
