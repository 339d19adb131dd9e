"""How many rows a scan measures, and how many a virtual student is trained on, for a budget of time.

A budget is turned into rows by the time of a few rows on this machine. The plan is made once and kept in the run
folder, so a scan that was interrupted resumes with the same rows.

Pure functions of numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from undertow.errors import InputError

TAUGHT = 128
"""Rows that a virtual student reads, at most, unless all rows are wanted."""
_TAUGHT_SHARE = 0.1
_TAUGHT_FEWEST = 64
"""Of a dataset's rows, and at least, that it reads unless more are set."""
FEWEST = 16
"""Smallest number of rows that a scan on a budget measures."""
_VIRTUAL_COST = 1.2
"""Time of a row in a virtual student's training over that of its gradient: weights' gradients are computed too."""
_VIRTUAL_SHARE = 0.4
"""Of a budget, for the virtual student; whether there is anything is seen in the gradients."""
_UNIT = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Plan:
    """What a scan will do."""

    rows: int
    """To look at, at most."""
    taught: int
    """Of them, for the virtual student; 0 for none."""


def seconds_of(text: str) -> float:
    """Read a time such as `90s`, `5m` or `1.5h`; a number alone is in seconds.

    Raises:
        InputError: it is not such a time.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if found is None or float(found[1]) <= 0:
        raise InputError(f"is {text!r}", "--budget", "Give a time such as 90s, 5m or 1.5h.")
    return float(found[1]) * _UNIT[found[2] or "s"]


def usual_taught(read: int, looked_at: int) -> int:
    """Return how many rows a virtual student reads unless more are set.

    Args:
        read: Rows of the dataset.
        looked_at: Of them, which it is taught with.
    """
    return min(looked_at, max(_TAUGHT_FEWEST, min(TAUGHT, round(_TAUGHT_SHARE * read))))


def plan_within(
    seconds: float, *, row: float, asking: float, rows: int, students: float = 1.0, sampling: float = 0.0
) -> Plan:
    """Return the plan that fits into what is left of a budget.

    Args:
        seconds: Left.
        row: Seconds that one row's gradient takes.
        asking: Seconds that the panel's questions take, once.
        rows: There are no more.
        students: Virtual ones that are taught with them.
        sampling: Seconds that the base's own answer to one row takes.

    Raises:
        InputError: the time is too short for even a few rows.
    """
    fewest = min(FEWEST, rows)
    each = row + sampling
    if seconds < fewest * each:
        raise InputError(
            "is too short: measuring "
            f"{fewest} rows takes {fewest * each:.0f} s here, and {max(seconds, 0.0):.0f} s are left for them",
            "--budget",
            f"Give at least {fewest * each - seconds:.0f} s more.",
        )
    asking, cost = students * asking, students * _VIRTUAL_COST * row
    # What it is taught with is looked at as well.
    both = (seconds - asking) / (cost + each)
    taught = int(min((_VIRTUAL_SHARE * seconds - asking) / cost, both, TAUGHT, rows))
    if taught < FEWEST:
        return Plan(min(int(seconds / each), rows), 0)
    left = seconds - asking - taught * cost
    return Plan(max(min(int(left / each), rows), taught), taught)
