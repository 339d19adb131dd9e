"""Many runs in one table and one picture: what passed, through which data, against which control.

Takes results and returns lines, Markdown and SVG; reads and writes nothing. With x, the smallest effect that matters,
a line says one of four things:

    transfers        the rule of verdicts fails it: the interval lies above zero and reaches x
    moves away       the interval lies below zero and reaches -x
    none             the shift is equivalent to none: its 90% interval lies within -x and x
    inconclusive     none of these is shown

    undertow results runs/* --picture results.svg
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from markupsafe import Markup

from undertow import stats
from undertow.report.often import ratio_text
from undertow.report.svg import element
from undertow.report.verdict import smallest_effect
from undertow.report.words import clip, p_value, percent, signed, visible
from undertow.results import Effect, Interval, Results, TimesAsOften
from undertow.stats.estimate import Status

Says = Literal["transfers", "moves away", "none", "inconclusive"]

_WIDTH, _ROW, _TOP, _LEFT, _RIGHT = 920, 26, 46, 400, 190
_COLOURS: dict[Says, str] = {
    "transfers": "#b3261e",
    "moves away": "#1f5fa8",
    "none": "#1b6e3c",
    "inconclusive": "#8a6d00",
}
_NAME = 60


@dataclass(frozen=True)
class Line:
    """One effect of one run."""

    run: str
    domain: str
    labels: str
    teacher: str
    trait: str
    arm: str
    contrast: str
    value: float
    lo: float
    hi: float
    unit: str
    seeds: int
    p: float | None
    times: TimesAsOften | None
    transfer_fraction: Interval | None
    """Of the effect that the run's verdict rests on."""
    smallest_visible: float | None
    """The smallest effect that the run would have seen four times out of five."""
    smallest_effect: float
    """The smallest that matters: x, at the head of this module."""
    says: Says

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {
            "times": self.times.model_dump() if self.times else None,
            "transfer_fraction": self.transfer_fraction.model_dump() if self.transfer_fraction else None,
        }


def overview(runs: Sequence[Results]) -> list[Line]:
    """Return the effects of all runs, run by run, each run's verdict first. Cosines and the like are left out."""
    return [
        _line(results, effect) for results in runs for effect in results.effects if effect.seeds and _is_shift(effect)
    ]


def _is_shift(effect: Effect) -> bool:
    return effect.unit in ("log-odds", "accuracy")


def _line(results: Results, effect: Effect) -> Line:
    settings = results.settings
    smallest = smallest_effect(results) or 0.1
    stated = _at(settings, "judgement", "level")
    level = float(stated) if isinstance(stated, int | float) and 0 < stated < 1 else 0.95
    estimate = stats.Estimate(effect.value, effect.lo, effect.hi, effect.n, effect.method)
    answer = stats.verdict(
        estimate, effect.p or 0.0, smallest_effect=smallest, level=level, unit=effect.unit, what=effect.trait
    )
    status = results.verdict.status if effect.primary else answer.status
    return Line(
        run=results.name,
        domain=str(_at(settings, "domain", "kind") or settings.get("kind", "")),
        labels=str(_at(settings, "student", "labels") or "logits"),
        teacher=results.teachers[0].method if results.teachers else "",
        trait=effect.trait,
        arm=effect.arm,
        contrast=effect.contrast,
        value=effect.value,
        lo=effect.lo,
        hi=effect.hi,
        unit=effect.unit,
        seeds=effect.seeds,
        p=effect.p,
        times=effect.times,
        transfer_fraction=results.transfer_fraction if effect.primary else None,
        smallest_visible=_visible(estimate, effect.seeds, level),
        smallest_effect=smallest,
        says=_says(effect, status, smallest, level),
    )


def _says(effect: Effect, status: Status, smallest: float, level: float) -> Says:
    if status == "fail":
        return "transfers"
    # What the run itself could not tell is not told here, and one seed says nothing of a way of training.
    if effect.seeds < 2 or (effect.primary and status == "inconclusive"):
        return "inconclusive"
    if effect.hi < 0 and effect.lo <= -smallest:
        return "moves away"
    middle, half = (effect.lo + effect.hi) / 2, _half_of_equivalence(effect, level)
    return "none" if -smallest < middle - half and middle + half < smallest else "inconclusive"


def _half_of_equivalence(effect: Effect, level: float) -> float:
    """Return half the width of the interval that shows equivalence: at 90% where the effect's own is at 95%.

    That it lies within both bounds is the same as two one-sided tests at 5% (Schuirmann 1987). Over seeds and questions
    the degrees of freedom are not stored: the normal ratio is then the widest that the interval can be.
    """
    from scipy import special

    freedom = math.inf if "questions" in effect.method else effect.seeds - 1
    wide, narrow = (float(special.stdtrit(freedom, place)) for place in (0.5 + level / 2, level))
    return (effect.hi - effect.lo) / 2 * narrow / wide


def _visible(estimate: stats.Estimate, seeds: int, level: float) -> float | None:
    """Return the smallest effect that so many seeds, which vary as these did, find four times out of five."""
    from scipy import stats as distributions

    if seeds < 2:
        return None
    half = (estimate.hi - estimate.lo) / 2
    spread = half / float(distributions.t.ppf(0.5 + level / 2, seeds - 1)) * seeds**0.5
    return stats.smallest_effect(spread, seeds, level=level)


def _at(settings: dict[str, Any], part: str, key: str) -> Any:
    inside = settings.get(part)
    return inside.get(key) if isinstance(inside, dict) else None  # pyright: ignore[reportUnknownMemberType]


HEADS = (
    "run",
    "domain",
    "labels",
    "trait",
    "arm - control",
    "shift (interval)",
    "times as often",
    "p",
    "transfer",
    "seeds",
    "says",
)


def cells(line: Line) -> list[str]:
    """Return the cells of a line's row, under `HEADS`."""
    return [
        line.run,
        line.domain,
        line.labels,
        line.trait,
        f"{line.arm} - {line.contrast}",
        f"{signed(line.value)} ({signed(line.lo)} to {signed(line.hi)})",
        ratio_text(line.times),
        p_value(line.p),
        percent(line.transfer_fraction.value) if line.transfer_fraction else "",
        f"{line.seeds:,}",
        said(line)
        + (f" (sees {line.smallest_visible:.2f})" if line.says == "inconclusive" and line.smallest_visible else ""),
    ]


def said(line: Line) -> str:
    """Return what a line says, in words."""
    return f"none within ±{line.smallest_effect:g}" if line.says == "none" else line.says


def markdown(lines: Sequence[Line]) -> str:
    """Return a table in Markdown."""
    rows = [HEADS, ["---"] * len(HEADS), *(cells(line) for line in lines)]
    return "".join("| " + " | ".join(_plain(cell) for cell in row) + " |\n" for row in rows)


def _plain(cell: str) -> str:
    # A name from a stranger's file must not end the cell or begin an element.
    return " ".join(visible(cell).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def picture(lines: Sequence[Line]) -> str:
    """Return the intervals as one standalone SVG, a row each, on one axis for log-odds and accuracies alike."""
    lo = min([0.0, *(line.lo for line in lines)])
    hi = max([0.0, *(line.hi for line in lines)]) or 1.0
    span = hi - lo

    def x(value: float) -> float:
        return _LEFT + (value - lo) / span * (_WIDTH - _LEFT - _RIGHT)

    height = _TOP + _ROW * len(lines) + 20
    shapes = [
        element("rect", width=_WIDTH, height=height, fill="#ffffff"),
        _text(16, 24, "Shift of students towards the trait: arm minus its control, with intervals", weight="bold"),
        element("line", x1=x(0), x2=x(0), y1=_TOP - 8, y2=height - 16, stroke="#888888", stroke_dasharray="3 3"),
        _text(x(0), height - 4, "0", anchor="middle"),
    ]
    for place, line in enumerate(lines):
        y, colour = _TOP + _ROW * place + 10, _COLOURS[line.says]
        name = f"{line.run}: {line.trait}, {line.arm} - {line.contrast}"
        shapes += [
            _text(16, y + 4, clip(name, _NAME)),
            element("line", x1=x(line.lo), x2=x(line.hi), y1=y, y2=y, stroke=colour, stroke_width=2),
            element("circle", cx=x(line.value), cy=y, r=4.5, fill=colour),
            _text(_WIDTH - _RIGHT + 14, y + 4, f"{signed(line.value)}  {said(line)}", fill=colour),
        ]
    svg = element(
        "svg",
        *shapes,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        font_family="system-ui, sans-serif",
        font_size=13,
    )
    return str(svg) + "\n"


def _text(
    x: float, y: float, text: str, *, weight: str = "normal", anchor: str = "start", fill: str = "#222222"
) -> Markup:
    return element("text", text, x=x, y=y, font_weight=weight, text_anchor=anchor, fill=fill)
