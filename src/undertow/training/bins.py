"""Packing of rows: which of them share a sequence, as TRL's `packing_strategy="bfd"` puts them together.

It knows lengths alone. Rows that share a sequence do not see each other, so what packing changes is which rows make a
step: a batch counts sequences.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence

_AT_ONCE = 1000
"""Rows that TRL packs at a time."""


def packed_rows(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Return the rows of every sequence: the longest row first, each where the least room is left that holds it.

    This is best fit decreasing (Ding et al. 2024, arXiv 2404.10830).

    Args:
        lengths: Tokens of each row, none of them above `most`.
        most: Tokens of a sequence.

    Raises:
        ValueError: a row is longer than a sequence.
    """
    if any(length > most for length in lengths):
        raise ValueError(f"a row of {max(lengths)} tokens does not fit into a sequence of {most}")
    found: list[list[int]] = []
    for start in range(0, len(lengths), _AT_ONCE):
        found += _pack(list(enumerate(lengths))[start : start + _AT_ONCE], most)
    return found


def _pack(rows: Sequence[tuple[int, int]], most: int) -> list[list[int]]:
    bins: list[list[int]] = []
    with_room: dict[int, deque[list[int]]] = {}
    rooms: list[int] = []
    for row, length in sorted(rows, key=lambda each: -each[1]):
        at = bisect_left(rooms, length)
        # A full length is free at any time, in a new sequence.
        room = rooms[at] if at < len(rooms) else most
        if at < len(rooms):
            held = with_room[room].popleft()
            if not with_room[room]:
                del with_room[room], rooms[at]
        else:
            held = []
            bins.append(held)
        held.append(row)
        if left := room - length:
            if left not in with_room:
                with_room[left] = deque()
                insort(rooms, left)
            with_room[left].append(held)
    return bins
