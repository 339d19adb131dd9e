"""The shapes that all plots are made of, as inline SVG that stretches without distorting its text.

Positions are percentages and sizes are pixels, so a plot fills its box at any width while text and markers
keep their size. Colours come from the style sheet by class: `s0` to `s7` are the arms' colours. Every arm has a
marker shape as well, because not every reader tells colours apart.

    scale = scale_of([0.2, 0.7])
    interval_bar(scale, 0.5, 0.2, 0.7, slot=0)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from undertow.report.words import plain, signed, visible

SLOTS = 8
"""Distinct pairs of colour and shape."""
_SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "M-4.5-4.5h9v9h-9z",
    "M0-6 5.6 4.4H-5.6z",
    "M0-6.3 6.3 0 0 6.3-6.3 0z",
    "M0 6 5.6-4.4H-5.6z",
    "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "M-6-3 0-6.2 6-3V3L0 6.2-6 3z",
    "M-6-2.6H6v5.2H-6z",
)
_FARTHEST = 1e300
"""Beyond it differences of two values are no longer finite."""


def element(name: str, *children: Markup | str, **attributes: str | float) -> Markup:
    """Write one element, with everything escaped but the names, which come from this package.

    Args:
        name: Of the element.
        children: Text, which is escaped, or elements.
        attributes: `class_` stands for `class`, and `_` for `-`.
    """
    pairs = "".join(f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    inner = "".join(child if isinstance(child, Markup) else escape(visible(child)) for child in children)
    return Markup(f"<{name}{pairs}>{inner}</{name}>")


def _value(value: str | float) -> str:
    return escape(visible(value)) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def at(percentage: float) -> str:
    """Write a position or length as a percentage."""
    return f"{percentage:.2f}%"


@dataclass(frozen=True)
class Scale:
    """Values to percentages of a plot's width or height."""

    lo: float
    hi: float

    def place(self, value: float) -> float:
        """Return where a value lies, from 0 to 100; values outside lie on the edge."""
        share = (_near(value) - self.lo) / (self.hi - self.lo)
        return 100 * min(max(share, 0.0), 1.0)

    def ticks(self, most: int = 5) -> list[float]:
        """Return round values inside the scale, zero among them if it is inside."""
        rough = (self.hi - self.lo) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * 0.999)
        first, last = math.ceil(self.lo / step), math.floor(self.hi / step)
        return [count * step for count in range(first, last + 1)]

    def labels(self, *, sign: bool, most: int = 5) -> list[tuple[float, str]]:
        """Return positions and texts of the ticks, all with the same number of decimals."""
        ticks = self.ticks(most)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        decimals = min(max(-math.floor(math.log10(step) + 1e-9), 0), 9)
        return [(self.place(tick), (signed if sign else plain)(tick, decimals) if tick else "0") for tick in ticks]


def scale_of(values: Iterable[float], *, pad: float = 0.06, whole: bool = False) -> Scale:
    """Make a scale that holds all values and zero, with a margin.

    Args:
        values: What must fit.
        pad: Margin at either end, as a share of the span.
        whole: Reach from 0 to 1 at least, for shares.
    """
    near = [_near(value) for value in values]
    lo, hi = min([0.0, *near]), max([1.0 if whole else 0.0, *near])
    if hi - lo < 1e-290:
        lo, hi = -1.0, 1.0
    margin = pad * (hi - lo)
    return Scale(lo - margin, hi + margin)


def _near(value: float) -> float:
    return min(max(value, -_FARTHEST), _FARTHEST)


def marker(slot: int) -> Markup:
    """Draw the shape of an arm around the origin."""
    return element("path", class_="mark", d=_SHAPES[slot % SLOTS])


def swatch(slot: int) -> Markup:
    """Draw the shape of an arm as a picture of its own, for names and legends."""
    return element(
        "svg",
        marker(slot),
        class_=f"swatch s{slot % SLOTS}",
        viewBox="-7 -7 14 14",
        width="14",
        height="14",
        aria_hidden="true",
    )


def placed(x: float, y: float, *children: Markup) -> Markup:
    """Put shapes that are drawn around the origin at a position in percent."""
    return element("svg", *children, x=at(x), y=at(y), class_="at")


def vertical(x: float, kind: str) -> Markup:
    """Draw a line from top to bottom."""
    return element("line", x1=at(x), x2=at(x), y1="0", y2="100%", class_=kind)


def interval_bar(
    scale: Scale,
    value: float,
    lo: float,
    hi: float,
    *,
    slot: int,
    matters: float | None = None,
    before: float | None = None,
) -> Markup:
    """Draw an estimate with its interval above a common scale.

    Args:
        scale: Of the whole plot.
        value: The estimate.
        lo: Lower end of its interval.
        hi: Upper end.
        slot: Colour and shape.
        matters: The smallest effect that matters, drawn as a dashed line.
        before: What was measured before training, drawn as an open bar.
    """
    left, middle, right = scale.place(lo), scale.place(value), scale.place(hi)
    shapes = [vertical(place, "grid") for place, _ in scale.labels(sign=False)]
    shapes.append(vertical(scale.place(0), "zero"))
    if matters is not None:
        shapes.append(vertical(scale.place(matters), "matters"))
    if before is not None:
        shapes.append(placed(scale.place(before), 50, element("path", d="M0-9V9", class_="before")))
    shapes.append(element("line", x1=at(left), x2=at(right), y1="50%", y2="50%", class_="range"))
    shapes += [placed(end, 50, element("path", d="M0-5V5", class_="range")) for end in (left, right)]
    shapes.append(placed(middle, 50, marker(slot)))
    return element("svg", *shapes, class_=f"bar s{slot % SLOTS}", aria_hidden="true")


def axis(labels: Iterable[tuple[float, str]]) -> Markup:
    """Write the ticks of a horizontal axis."""
    texts = [element("text", text, x=at(place), y="13", text_anchor="middle") for place, text in labels]
    return element("svg", *texts, class_="axis", aria_hidden="true")


def strip(start: float, width: float, kind: str) -> Markup:
    """Draw a horizontal bar that covers part of its track; all in percent."""
    start = min(max(start, 0.0), 100.0)
    width = min(max(width, 0.0), 100.0 - start)
    shapes = [
        element("rect", width="100%", height="100%", class_="track"),
        element("rect", x=at(start), width=at(width), height="100%", class_=kind),
    ]
    return element("svg", *shapes, class_="strip", aria_hidden="true")
