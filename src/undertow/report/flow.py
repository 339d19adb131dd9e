"""What became of the rows that each teacher wrote, and how far coupled datasets differ: bars beside numbers.

A funnel is a waterfall: what was written, each reason that took rows away, what was kept, what students saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from undertow.report import svg
from undertow.report.words import clip, percent
from undertow.results import Divergence, Funnel


@dataclass(frozen=True)
class Stage:
    """One bar of a funnel."""

    label: str
    count: str
    share: str
    kind: str
    """`written`, `rejected`, `kept` or `trained`."""
    bar: Markup


@dataclass(frozen=True)
class Flow:
    """The funnel of one arm."""

    arm: str
    swatch: Markup
    stages: list[Stage]


@dataclass(frozen=True)
class Reasons:
    """Why rows were rejected: one line per reason, one pair of columns per arm."""

    arms: list[str]
    lines: list[tuple[str, list[tuple[str, str]]]]
    """Reason, then for each arm the rows counted under it and the rows that it applied to."""
    more: int


@dataclass(frozen=True)
class Difference:
    """How far two coupled datasets differ."""

    arm: str
    contrast: str
    swatch: Markup
    rows: str
    tokens: str
    rows_share: str
    tokens_share: str
    rows_bar: Markup
    tokens_bar: Markup


def flow(funnel: Funnel, slot: int, *, most: int, name: int) -> Flow:
    """Draw the funnel of one arm; the rarest reasons beyond `most` become one bar."""
    total = max(funnel.written, funnel.kept, funnel.trained_on, 1)
    reasons = sorted(funnel.rejected.items(), key=lambda item: (-item[1], item[0]))
    if len(reasons) > most:
        rest = reasons[most - 1 :]
        reasons = [*reasons[: most - 1], (f"{len(rest)} other reasons", sum(count for _, count in rest))]

    def stage(label: str, count: int, kind: str, start: int = 0) -> Stage:
        bar = svg.strip(100 * start / total, 100 * count / total, kind)
        return Stage(label, f"{count:,}", percent(count / total), kind, bar)

    stages = [stage("written", funnel.written, "written")]
    left = funnel.written
    for reason, count in reasons:
        left -= count
        stages.append(stage(clip(reason, name), count, "rejected", max(left, 0)))
    stages.append(stage("kept", funnel.kept, "kept"))
    stages.append(stage("trained on", funnel.trained_on, "trained"))
    return Flow(clip(funnel.arm, name), svg.swatch(slot), stages)


def reasons(funnels: list[Funnel], *, most: int, name: int) -> Reasons | None:
    """Tabulate the reasons over the arms, the most frequent first; None if no row was rejected."""
    totals: dict[str, int] = {}
    for funnel in funnels:
        for counts in (funnel.rejected, funnel.reasons):
            for reason, count in counts.items():
                totals[reason] = totals.get(reason, 0) + count
    if not totals:
        return None
    ordered = sorted(totals, key=lambda reason: (-totals[reason], reason))
    lines = [
        (
            clip(reason, name),
            [(_count(funnel.rejected, reason), _count(funnel.reasons, reason)) for funnel in funnels],
        )
        for reason in ordered[:most]
    ]
    return Reasons([clip(funnel.arm, name) for funnel in funnels], lines, max(0, len(ordered) - most))


def _count(counts: Mapping[str, int], reason: str) -> str:
    return f"{counts[reason]:,}" if reason in counts else "—" if not counts else "0"


def difference(divergence: Divergence, slot: int, *, name: int) -> Difference:
    """Say how far two coupled datasets differ, in rows and in tokens."""
    rows = divergence.rows_different / max(divergence.rows, 1)
    tokens = divergence.tokens_different / max(divergence.tokens, 1)
    return Difference(
        arm=clip(divergence.arm, name),
        contrast=clip(divergence.contrast, name),
        swatch=svg.swatch(slot),
        rows=f"{divergence.rows_different:,} of {divergence.rows:,}",
        tokens=f"{divergence.tokens_different:,} of {divergence.tokens:,}",
        rows_share=percent(rows),
        tokens_share=percent(tokens),
        rows_bar=svg.strip(0, 100 * rows, f"fill s{slot % svg.SLOTS}"),
        tokens_bar=svg.strip(0, 100 * tokens, f"fill s{slot % svg.SLOTS}"),
    )
