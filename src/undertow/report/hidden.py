"""Hidden states as a small picture: an arm's share of the teacher's shift, a bar for each layer."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from undertow.report import svg
from undertow.report.limits import Limits, cut
from undertow.report.words import clip, decimals_for, interval, plain, signed
from undertow.results import HiddenShift, Results


@dataclass(frozen=True)
class Hidden:
    """One arm's picture."""

    says: str
    drawing: Markup


def hidden(results: Results, slots: dict[str, int], limits: Limits) -> list[Hidden]:
    """Draw every arm; no arm where nothing was measured."""
    shown, _ = cut(results.hidden, limits.arms)
    return [Hidden(clip(sentence(each), limits.text), _drawing(each, slots.get(each.arm, 0))) for each in shown]


def sentence(shift: HiddenShift) -> str:
    """Say in one line what was found."""
    cosine = sum(layer.arm_cosine for layer in shift.layers) / len(shift.layers)
    head = f"hidden states, {shift.arm} minus {shift.contrast}: "
    tail = f"mean of {len(shift.layers)} layers; cosine of the {shift.arm} arm {plain(cosine)}"
    if shift.interval is None:
        one = shift.unit.removesuffix("s")
        return f"{head}{signed(shift.value)} of the teacher's shift (1 {one}, no interval; {tail})"
    lo, hi = shift.interval.lo, shift.interval.hi
    decimals = decimals_for(lo, hi)
    value, reach = signed(shift.value, decimals), interval(lo, hi, decimals)
    return f"{head}{value} of the teacher's shift ({reach}, {shift.replicates} {shift.unit}; {tail})"


def _drawing(shift: HiddenShift, slot: int) -> Markup:
    ends = [x for each in shift.layers if each.interval for x in (each.interval.lo, each.interval.hi)]
    scale = svg.scale_of([*ends, *(each.value for each in shift.layers)])
    zero = svg.at(100 - scale.place(0))
    shapes = [svg.element("line", x1="0", x2="100%", y1=zero, y2=zero, class_="zero")]
    for at, each in enumerate(shift.layers):
        x = 100 * (at + 0.5) / len(shift.layers)
        if each.interval is not None:
            low, high = (svg.at(100 - scale.place(end)) for end in (each.interval.lo, each.interval.hi))
            shapes.append(svg.element("line", x1=svg.at(x), x2=svg.at(x), y1=low, y2=high, class_="line"))
        shapes.append(svg.placed(x, 100 - scale.place(each.value), svg.marker(slot)))
    return svg.element(
        "svg",
        svg.element("g", *shapes, class_=f"s{slot % svg.SLOTS}"),
        class_="curves",
        role="img",
        height="160",
        aria_label=f"Share by layer, from the first to the last of {len(shift.layers)}",
    )
