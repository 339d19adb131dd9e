"""How a verdict is printed, and which exit code it is: the same for every verb that gives one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from undertow.results import Results
    from undertow.stats import Status

STYLES: Final[dict[Status, str]] = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_EXIT: Final[dict[Status, int]] = {"pass": 0, "fail": 1, "inconclusive": 4}


def exit_code(status: Status, *, strict: bool) -> int:
    """Return the exit code; with `strict`, inconclusive is a failure."""
    return 1 if strict and status == "inconclusive" else _EXIT[status]


def say_status(status: Status) -> None:
    """Print the one word."""
    from undertow.cli.show import say

    say(status.upper(), style=f"bold {STYLES[status]}")


def say_verdict(results: Results) -> None:
    """Print a verdict, what it means and the reason for it."""
    from undertow.cli.show import say
    from undertow.report.verdict import meaning

    say_status(results.verdict.status)
    say(meaning(results))
    say(results.verdict.because)
