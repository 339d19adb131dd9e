"""Forest plots: intervals beside each other above one axis, with the names and numbers in words.

The rows are laid out by the style sheet (name, bar, numbers; on a phone the bar goes below), so text is text:
it wraps, can be selected and is read aloud. It does not know where the intervals come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from undertow.report import svg, units
from undertow.report.limits import Limits
from undertow.report.words import clip, decimals_for, interval, level_name, p_value, percent, plain, signed
from undertow.results import Effect

Style = Literal["difference", "absolute", "share"]
"""`+0.54` around zero; `0.87` on a scale from 0 to 1; `3.5%`."""


@dataclass(frozen=True)
class Entry:
    """What goes into one row: an estimate with its interval, and what it is."""

    name: str
    minus: str
    """What was subtracted; empty for an arm on its own."""
    topic: str
    says: str
    slot: int
    value: float
    lo: float
    hi: float
    method: str
    under: tuple[str, ...] = ()
    """Further facts under the numbers."""
    primary: bool = False
    before: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of the plot as the page shows it."""

    name: str
    minus: str
    topic: str
    says: str
    swatch: Markup
    bar: Markup
    value: str
    interval: str
    level: str
    under: tuple[str, ...]
    primary: bool


@dataclass(frozen=True)
class Forest:
    """Rows above one axis."""

    unit: str
    rows: list[Row]
    axis: Markup
    level: str
    """The interval's name if all rows that name a level share it, else empty."""
    matters: str
    """The smallest effect that matters, if it is drawn."""


def forest(
    entries: Sequence[Entry],
    unit: str,
    *,
    style: Style = "difference",
    matters: float | None = None,
) -> Forest:
    """Lay out a forest plot.

    Args:
        entries: The rows, from top to bottom.
        unit: Of all of them.
        style: How numbers are written and where the axis ends.
        matters: The smallest effect that matters, drawn as a dashed line.
    """
    values = [value for entry in entries for value in (entry.value, entry.lo, entry.hi)]
    values += [entry.before for entry in entries if entry.before is not None]
    if matters is not None:
        values.append(matters)
    scale = svg.scale_of(values, whole=style == "absolute")
    # A row that did not vary has an interval without a level; it does not make the others' levels ambiguous.
    levels = {level_name(entry.method) for entry in entries}
    levels = levels - {level_name("")} or levels
    if style == "share":
        hundred = svg.Scale(100 * scale.lo, 100 * scale.hi)
        axis = [(place, f"{text}%") for place, text in hundred.labels(sign=False)]
    else:
        axis = scale.labels(sign=style == "difference")
    # Numbers under each other get the same decimals, unless one of them would need very many.
    decimals = min(3, max((decimals_for(entry.lo, entry.hi) for entry in entries), default=2))
    return Forest(
        unit=unit,
        rows=[_row(entry, scale, style, matters, decimals) for entry in entries],
        axis=svg.axis(axis),
        level=levels.pop() if len(levels) == 1 else "",
        matters=signed(matters, decimals_for(0, matters)) if matters is not None else "",
    )


def written(value: float, lo: float, hi: float, style: Style, *, decimals: int = 0) -> tuple[str, str]:
    """Write an estimate and its interval with the digits that the interval supports, or with more."""
    if style == "share":
        return percent(value), f"{percent(lo)} to {percent(hi)}"
    decimals, sign = max(decimals, decimals_for(lo, hi)), style == "difference"
    return (signed if sign else plain)(value, decimals), interval(lo, hi, decimals, sign=sign)


def _row(entry: Entry, scale: svg.Scale, style: Style, matters: float | None, decimals: int) -> Row:
    value, reach = written(entry.value, entry.lo, entry.hi, style, decimals=decimals)
    return Row(
        name=entry.name,
        minus=entry.minus,
        topic=entry.topic,
        says=entry.says,
        swatch=svg.swatch(entry.slot),
        bar=svg.interval_bar(
            scale,
            entry.value,
            entry.lo,
            entry.hi,
            slot=entry.slot,
            matters=matters,
            before=entry.before,
        ),
        value=value,
        interval=reach,
        level=level_name(entry.method),
        under=entry.under,
        primary=entry.primary,
    )


def entry_of(effect: Effect, slots: dict[str, int], limits: Limits) -> Entry:
    """Turn an effect into a row: its p-values go under the numbers."""
    under = [p_value(effect.p)] if effect.p is not None else []
    if effect.p_adjusted is not None:
        under.append(f"{effect.adjusted_by}: {p_value(effect.p_adjusted)}")
    if effect.times is not None and effect.times.ratio is not None:
        under.append(f"{plain(effect.times.ratio.value)} times as often")
    return Entry(
        name=clip(effect.arm, limits.name),
        minus=clip(effect.contrast, limits.name) if units.difference(effect.unit) else "",
        topic=clip(effect.trait, limits.name),
        says=clip(effect.says, limits.text),
        slot=slots[effect.arm],
        value=effect.value,
        lo=effect.lo,
        hi=effect.hi,
        method=effect.method,
        under=tuple(under),
        primary=effect.primary,
    )
