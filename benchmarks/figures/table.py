"""A table of a page whose cells keep the numbers behind their text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Figure(NamedTuple):
    """A cell that states a number."""

    text: str
    """As the page shows it."""
    value: float
    lo: float | None = None
    """Ends of the 95% interval; None where the source holds none."""
    hi: float | None = None
    n: int | None = None
    """Units behind the number: seeds, datasets, students or rows, as the table says."""


Cell = str | Figure


@dataclass(frozen=True)
class Table:
    """A table and the committed files that it is computed from."""

    sources: tuple[str, ...]
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def markdown(self) -> str:
        """Return the table as a page holds it."""
        lines = [self.heads, ["---"] * len(self.heads), *([text_of(cell) for cell in row] for row in self.rows)]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)

    def figures(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield every number of the table as plain JSON values.

        Args:
            name: Of the table; a figure's name adds its row and its column.
        """
        for row in self.rows:
            for head, cell in zip(self.heads, row, strict=True):
                if isinstance(cell, Figure):
                    label = f"{name} / {text_of(row[0])} / {head}"
                    yield {"name": label, **cell._asdict(), "source": list(self.sources)}


def text_of(cell: Cell) -> str:
    """Return what a page shows of a cell."""
    return cell.text if isinstance(cell, Figure) else cell


def read(source: str) -> Any:
    """Return a committed JSON file, named from the root of the checkout; a list of lines for `.jsonl`."""
    text = (ROOT / source).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if source.endswith(".jsonl") else json.loads(text)


def number(values: Sequence[float], form: str = ".2f", *, sign: bool = False) -> Figure:
    """Return `0.78 (0.71 to 0.81)` from a value, its interval and, last, a count if there is one."""
    value, lo, hi = values[:3]
    write = f"{'+' if sign else ''}{form}"
    return Figure(
        f"{value:{write}} ({value_text(lo, write)} to {value_text(hi, write)})", value, lo, hi, _count(values)
    )


def percent(values: Sequence[float]) -> Figure:
    """Return `88% (83% to 94%)` from a share, its interval and, last, a count if there is one."""
    value, lo, hi = values[:3]
    return Figure(f"{whole(value)} ({whole(lo)} to {whole(hi)})", value, lo, hi, _count(values))


def tally(values: Sequence[float]) -> Figure:
    """Return `5 of 21` from a share, its interval and the count that it is a share of."""
    value, lo, hi, n = values
    return Figure(f"{round(value * n)} of {n:.0f}", value, lo, hi, int(n))


def area(values: Sequence[float]) -> Figure:
    """Return an area under a ROC curve with its interval, whose upper end is written 1 where it rounds to that."""
    value, lo, hi, n = values
    return Figure(f"{value:.2f} ({lo:.2f} to {value_text(hi, '.2f', one='1')})", value, lo, hi, int(n))


def value_text(value: float, form: str, *, one: str | None = None) -> str:
    """Write an end of an interval; `one` stands for what rounds to 1."""
    text = f"{value:{form}}"
    return one if one is not None and float(text) == 1 else text


def whole(share: float) -> str:
    """Write a share in whole percent, without a minus before 0."""
    return f"{share:.0%}".replace("-0%", "0%") if round(share, 2) == 0 else f"{share:.0%}"


def _count(values: Sequence[float]) -> int | None:
    return int(values[3]) if len(values) > 3 else None
