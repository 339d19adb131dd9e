"""The trait over training steps: one line per arm, with the band of its interval and its name at its end.

A plot is three boxes side by side, laid out by the style sheet: the ticks of the vertical axis, the lines,
the names. Names that would overlap are pushed apart. It does not know what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from undertow.report import svg, units
from undertow.report.svg import at, element
from undertow.report.words import clip, decimals_for, interval, plain, signed
from undertow.results import Curve, CurvePoint

_APART = 9.0
"""Least distance between two names, in percent of the height."""
_MARKERS = 16
"""Most markers on a line; more would hide it."""


@dataclass(frozen=True)
class Name:
    """An arm's name beside the end of its line."""

    text: str
    top: str
    slot: int


@dataclass(frozen=True)
class Line:
    """A line in words."""

    arm: str
    swatch: Markup
    says: str
    points: list[tuple[str, str, str]]
    """Step, value and interval of every point."""


@dataclass(frozen=True)
class Plot:
    """One plot: curves that share a trait and a unit."""

    trait: str
    unit: str
    explained: str
    upright: str
    """What the vertical axis is."""
    y_axis: Markup
    drawing: Markup
    x_axis: Markup
    names: list[Name]
    lines: list[Line]
    more: int
    """Curves left out."""


def plot(curves: Sequence[Curve], slots: dict[str, int], *, points: int, more: int, name: int) -> Plot:
    """Draw curves of one trait and one unit.

    Args:
        curves: At least one, each with at least one point.
        slots: Colour and shape of each arm.
        points: Most points of a line; of longer ones evenly spread points are drawn, with both ends.
        more: How many curves were left out before.
        name: Most characters of an arm's name.
    """
    unit = curves[0].unit
    sign = not units.absolute(unit)
    thinned = [(curve.arm, _thin(curve.points, points)) for curve in curves]
    every = [point for _, line in thinned for point in line]
    y = svg.scale_of([value for point in every for value in (point.value, point.lo, point.hi)], pad=0.08)
    x = _steps(every)
    labels = y.labels(sign=sign)
    shapes = [
        element("line", x1="0", x2="100%", y1=at(100 - place), y2=at(100 - place), class_="grid") for place, _ in labels
    ]
    zero = at(100 - y.place(0))
    shapes.append(element("line", x1="0", x2="100%", y1=zero, y2=zero, class_="zero"))
    # The reference goes first and the arm in question last, so that the line that matters lies on top.
    for arm, line in sorted(thinned, key=lambda item: -slots[item[0]]):
        shapes.append(_line(line, x, y, slots[arm]))
    return Plot(
        trait=clip(curves[0].trait, name),
        unit=clip(unit, name),
        explained=units.explained(unit),
        upright=unit if units.absolute(unit) else f"shift from the base, in {clip(unit, name)}",
        y_axis=element(
            "svg",
            *[element("text", text, x="100%", y=at(100 - place), dy="4") for place, text in labels],
            class_="upright",
            aria_hidden="true",
        ),
        drawing=element("svg", *shapes, class_="curves", role="img", aria_label=_described(thinned, sign)),
        x_axis=svg.axis(_step_labels(x)),
        names=_names(thinned, y, slots, name),
        lines=[_in_words(clip(arm, name), line, slots[arm], sign=sign) for arm, line in thinned],
        more=more,
    )


def _thin(points: Sequence[CurvePoint], most: int) -> list[CurvePoint]:
    ordered = sorted(points, key=lambda point: point.step)
    if len(ordered) <= most:
        return ordered
    return [ordered[round(i * (len(ordered) - 1) / (most - 1))] for i in range(most)]


def _steps(points: Sequence[CurvePoint]) -> svg.Scale:
    first, last = min(point.step for point in points), max(point.step for point in points)
    margin = 0.03 * (last - first) or 1.0
    return svg.Scale(first - margin, last + margin)


def _step_labels(x: svg.Scale) -> list[tuple[float, str]]:
    return [(x.place(tick), plain(tick, 0)) for tick in x.ticks(4) if tick >= 0 and tick == int(tick)]


def _line(points: Sequence[CurvePoint], x: svg.Scale, y: svg.Scale, slot: int) -> Markup:
    def path(values: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{x.place(step):.2f},{100 - y.place(value):.2f}" for step, value in values)

    up = [(point.step, point.hi) for point in points]
    down = [(point.step, point.lo) for point in reversed(points)]
    # The inner picture is stretched to its box; its strokes are not. The markers lie outside it.
    stretched = element(
        "svg",
        element("polygon", points=path(up + down), class_="band"),
        element("polyline", points=path([(point.step, point.value) for point in points]), class_="line"),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        width="100%",
        height="100%",
    )
    markers = [
        svg.placed(x.place(point.step), 100 - y.place(point.value), svg.marker(slot))
        for point in points[:: -(len(points) // _MARKERS + 1)]
    ]
    return element("g", stretched, *markers, class_=f"s{slot % svg.SLOTS}")


def _names(lines: Sequence[tuple[str, list[CurvePoint]]], y: svg.Scale, slots: dict[str, int], size: int) -> list[Name]:
    wanted = sorted((100 - y.place(points[-1].value), arm) for arm, points in lines)
    tops = spread([top for top, _ in wanted], _APART)
    return [Name(clip(arm, size), at(top), slots[arm] % svg.SLOTS) for top, (_, arm) in zip(tops, wanted, strict=True)]


def spread(tops: Sequence[float], apart: float) -> list[float]:
    """Push sorted positions apart to a least distance, and keep them between 0 and 100 if they fit."""
    moved: list[float] = []
    for top in tops:
        moved.append(max(top, moved[-1] + apart) if moved else top)
    limit = 100.0
    for i in range(len(moved) - 1, -1, -1):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - apart
    return moved


def _in_words(arm: str, points: list[CurvePoint], slot: int, *, sign: bool) -> Line:
    write = signed if sign else plain
    table: list[tuple[str, str, str]] = []
    for point in points:
        decimals = decimals_for(point.lo, point.hi)
        reach = interval(point.lo, point.hi, decimals, sign=sign)
        table.append((f"{point.step:,}", write(point.value, decimals), reach))
    step, value, reach = table[-1]
    return Line(arm, svg.swatch(slot), f"{value} after {step} steps ({reach})", table)


def _described(lines: Sequence[tuple[str, list[CurvePoint]]], sign: bool) -> str:
    write = signed if sign else plain
    ends = [f"{clip(arm, 40)} from {write(points[0].value)} to {write(points[-1].value)}" for arm, points in lines]
    return "Lines over training steps: " + "; ".join(ends)
