"""A comparison of mitigations: a table, and a plot of the transfer that is left against the task that is kept.

The best corner of the plot is the lower right: no transfer is left and the whole task is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from undertow.report import svg
from undertow.report.curves import Name, spread
from undertow.report.limits import Limits, cut
from undertow.report.svg import at, element
from undertow.report.words import clip, decimals_for, interval, level_name, signed
from undertow.results import Interval, MitigationRecord, Results

_APART = 7.0
"""Least distance between two names, in percent of the height."""
_LOWEST, _HIGHEST = -0.5, 1.5
"""Shares beyond these lie on the edge of the picture."""


@dataclass(frozen=True)
class Line:
    """One method in the table."""

    swatch: Markup
    method: str
    says: str
    needs: str
    costs: str
    shift: str
    shift_interval: str
    left: str
    kept: str
    in_format: str


@dataclass(frozen=True)
class Mitigated:
    """The section."""

    lines: list[Line]
    more: int
    level: str
    y_axis: Markup
    drawing: Markup
    x_axis: Markup
    names: list[Name]


def mitigated(results: Results, limits: Limits) -> Mitigated | None:
    """Lay out a comparison of methods; None for other results."""
    if not results.mitigation:
        return None
    shown, more = cut(results.mitigation, limits.rows)
    drawn = [(slot, each) for slot, each in enumerate(shown) if each.left is not None and each.utility is not None]
    x, y = (_scale([side(each) for _, each in drawn]) for side in (_kept, _left))
    return Mitigated(
        lines=[_line(each, slot, limits) for slot, each in enumerate(shown)],
        more=more,
        level=level_name(shown[0].shift.method),
        y_axis=element(
            "svg",
            *[element("text", text, x="100%", y=at(100 - place), dy="4") for place, text in _labels(y)],
            class_="upright",
            aria_hidden="true",
        ),
        drawing=_drawing(drawn, x, y),
        x_axis=svg.axis(_labels(x)),
        names=_names(drawn, y, limits),
    )


def _kept(each: MitigationRecord) -> Interval:
    assert each.utility is not None
    return each.utility


def _left(each: MitigationRecord) -> Interval:
    assert each.left is not None
    return each.left


def _scale(shares: Sequence[Interval]) -> svg.Scale:
    ends = [_held(end) for each in shares for end in (each.lo, each.hi)]
    return svg.scale_of([*ends, 1.0], pad=0.06, whole=True)


def _held(share: float) -> float:
    return min(max(share, _LOWEST), _HIGHEST)


def _labels(scale: svg.Scale) -> list[tuple[float, str]]:
    return [(scale.place(tick), f"{tick:.0%}") for tick in scale.ticks(5)]


def _drawing(drawn: Sequence[tuple[int, MitigationRecord]], x: svg.Scale, y: svg.Scale) -> Markup:
    shapes = [
        element("line", x1="0", x2="100%", y1=at(100 - place), y2=at(100 - place), class_="grid")
        for place, _ in _labels(y)
    ]
    zero = at(100 - y.place(0))
    shapes.append(element("line", x1="0", x2="100%", y1=zero, y2=zero, class_="zero"))
    for slot, each in drawn:
        kept, left = _kept(each), _left(each)
        middle_x, middle_y = x.place(_held(kept.value)), 100 - y.place(_held(left.value))
        ends = [100 - y.place(_held(end)) for end in (left.lo, left.hi)]
        sides = [x.place(_held(end)) for end in (kept.lo, kept.hi)]
        shapes.append(
            element(
                "g",
                element("line", x1=at(middle_x), x2=at(middle_x), y1=at(ends[0]), y2=at(ends[1]), class_="range"),
                element("line", x1=at(sides[0]), x2=at(sides[1]), y1=at(middle_y), y2=at(middle_y), class_="range"),
                svg.placed(middle_x, middle_y, svg.marker(slot)),
                class_=f"s{slot % svg.SLOTS}",
            )
        )
    label = "; ".join(
        f"{clip(each.method, 40)}: {_left(each).value:.0%} of the transfer, {_kept(each).value:.0%} of the task left"
        for _, each in drawn
    )
    return element("svg", *shapes, class_="curves", role="img", aria_label=label)


def _names(drawn: Sequence[tuple[int, MitigationRecord]], y: svg.Scale, limits: Limits) -> list[Name]:
    wanted = sorted((100 - y.place(_held(_left(each).value)), slot, each.method) for slot, each in drawn)
    tops = spread([top for top, _, _ in wanted], _APART)
    return [
        Name(clip(method, limits.name), at(top), slot % svg.SLOTS)
        for top, (_, slot, method) in zip(tops, wanted, strict=True)
    ]


def _line(each: MitigationRecord, slot: int, limits: Limits) -> Line:
    decimals = decimals_for(each.shift.lo, each.shift.hi)
    return Line(
        swatch=svg.swatch(slot),
        method=clip(each.method, limits.name),
        says=clip(each.says, limits.text),
        needs=clip(", ".join(each.needs), limits.name) or "nothing",
        costs=clip(each.costs, limits.name) or "nothing",
        shift=signed(each.shift.value, decimals),
        shift_interval=interval(each.shift.lo, each.shift.hi, decimals),
        left=_share(each.left),
        kept=_share(each.utility),
        in_format="" if each.in_format is None else f"{each.in_format:.0%}",
    )


def _share(e: Interval | None) -> str:
    return "none to speak of" if e is None else f"{e.value:.0%} ({e.lo:.0%} to {e.hi:.0%})"
