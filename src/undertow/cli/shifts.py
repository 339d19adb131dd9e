"""The traits that moved most, as a table on stdout: what a scan predicts, and what an audit measured.

show_shifts(results, "predicted")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from undertow.results import Results

_SHOWN: Final = 10


def show_shifts(results: Results, head: str) -> None:
    """Print the first findings.

    Args:
        results: A scan's or an audit's.
        head: Title of the column of values.
    """
    from undertow.cli.show import table
    from undertow.report.words import decimals_for, interval, p_value, signed

    heads = ["trait", head, "interval", "p", "p (BH)"]
    lines = [
        [
            each.trait,
            signed(each.value, decimals_for(each.lo, each.hi)),
            interval(each.lo, each.hi, decimals_for(each.lo, each.hi)),
            *(p_value(p).removeprefix("p = ").removeprefix("p ") for p in (each.p, each.p_adjusted)),
        ]
        for each in results.findings[:_SHOWN]
    ]
    table(heads, lines, right=[heads[1], *heads[3:]])
