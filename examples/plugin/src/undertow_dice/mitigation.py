"""The mitigation: leave out the shorter half of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from undertow.data.rows import Row
from undertow.mitigate import Method


def drop_short(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose answers are at least as long as the median."""
    lengths = [len(str(row.messages[-1]["content"])) for row in rows]
    return [row for row, length in zip(rows, lengths, strict=True) if length >= median(lengths)]


DROP_SHORT = Method("drop-short", "leaves out the shorter half of the rows", rows=drop_short)
