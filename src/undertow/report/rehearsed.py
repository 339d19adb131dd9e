"""A rehearsal: the growth of the strongest traits as plots, and what the full training would do as a table."""

from __future__ import annotations

from dataclasses import dataclass, replace

from undertow.report import curves
from undertow.report.limits import Limits, cut
from undertow.report.words import clip, decimals_for, interval, p_value, plain, plural, signed
from undertow.results import Curve, CurvePoint, RehearsalRecord, Results

_PLOTTED = 3
"""Traits with a plot."""
_MEASURED, _PREDICTED = "rehearsed", "predicted"
HEADS = ("trait", "full training", "interval", "p (Holm)", "no growth", "linear growth", "any such rows")


@dataclass(frozen=True)
class Rehearsed:
    """The section."""

    facts: list[tuple[str, str]]
    plots: list[curves.Plot]
    lines: list[tuple[str, ...]]
    """As `HEADS` names them."""
    more: int


def rehearsed(results: Results, limits: Limits) -> Rehearsed | None:
    """Lay out a rehearsal; None where there is none."""
    record = None if results.scan is None else results.scan.rehearsal
    if record is None:
        return None
    lines, more = cut(lines_of(record), limits.rows)
    return Rehearsed(
        facts=[(name, clip(text, 2 * limits.text)) for name, text in _facts(record)],
        plots=[_plot(record, at, limits) for at in range(min(_PLOTTED, len(record.effects), limits.arms))],
        lines=[tuple(clip(cell, limits.name) for cell in line) for line in lines],
        more=more,
    )


def lines_of(record: RehearsalRecord) -> list[tuple[str, ...]]:
    """Return a line for each trait, the strongest evidence first; its cells are those of `HEADS`."""
    found: list[tuple[str, ...]] = []
    for effect, trait in zip(record.effects, record.traits, strict=True):
        decimals = decimals_for(effect.lo, effect.hi)
        last = trait.measured[-1]
        found.append(
            (
                effect.trait,
                signed(effect.value, decimals),
                interval(effect.lo, effect.hi, decimals),
                p_value(effect.p_adjusted).removeprefix("p = ").removeprefix("p "),
                signed(last.value, decimals_for(last.lo, last.hi)),
                signed(trait.linear.value, decimals_for(trait.linear.lo, trait.linear.hi)),
                signed(trait.common),
            )
        )
    return found


def _facts(record: RehearsalRecord) -> list[tuple[str, str]]:
    return [
        (
            "Trained",
            f"{plural(2 * len(record.seeds), 'student')} on {record.rows:,} rows each, for {record.steps[-1]:,} steps; "
            f"the full training has {record.full_rows:,} rows and {record.full_steps:,} steps",
        ),
        ("Replicated", record.replicated),
        (
            "Growth",
            f"shift × {plain(record.ratio, 1)} to the power of {plain(record.exponent)}: between no growth (power 0) "
            "and linear growth (power 1)",
        ),
        ("Sizes", "; ".join(f"not calibrated for {each}" for each in record.not_calibrated) or record.calibration),
    ]


def _plot(record: RehearsalRecord, at: int, limits: Limits) -> curves.Plot:
    effect, trait = record.effects[at], record.traits[at]
    measured = [
        CurvePoint(step=step, value=each.value, lo=each.lo, hi=each.hi)
        for step, each in zip(record.steps, trait.measured, strict=True)
    ]
    end = CurvePoint(step=max(record.full_steps, record.steps[-1]), value=effect.value, lo=effect.lo, hi=effect.hi)
    start = CurvePoint(step=0, value=0.0, lo=0.0, hi=0.0)
    drawn = curves.plot(
        [
            Curve(arm=_MEASURED, trait=effect.trait, points=[start, *measured]),
            Curve(arm=_PREDICTED, trait=effect.trait, points=[measured[-1], end]),
        ],
        {_MEASURED: 0, _PREDICTED: 1},
        points=limits.points,
        more=0,
        name=limits.name,
    )
    return replace(drawn, upright="students of the rows less those of the reference, in log-odds")
