"""Answers of models: coupled rows side by side with differing tokens marked, and sampled one-word answers."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from undertow.config.arms import CONTROL
from undertow.report import diff, svg
from undertow.report.forest import Entry, Forest, forest, written
from undertow.report.limits import Limits, cut
from undertow.report.words import clip, percent
from undertow.results import Results, Sample, SampledAnswers


@dataclass(frozen=True)
class Column:
    """One arm's answer to one prompt."""

    arm: str
    swatch: Markup
    reference: bool
    segments: list[diff.Segment]
    more: int
    """Characters left out."""


@dataclass(frozen=True)
class Side:
    """One prompt with the answers of all arms side by side."""

    prompt: str
    reference: str
    columns: list[Column]
    more: int
    """Arms left out."""


@dataclass(frozen=True)
class Answers:
    """What a model answered when sampled."""

    arm: str
    swatch: Markup
    target: str
    top: list[tuple[str, str, Markup, bool]]
    """Answer, count, bar, and whether it is the target."""
    rest: str


@dataclass(frozen=True)
class Sampled:
    """The section of sampled answers."""

    plot: Forest
    answers: list[Answers]
    has_before: bool
    """Some row shows what the base answered."""
    more: int


def sampled(results: Results, slots: dict[str, int], limits: Limits) -> Sampled | None:
    """Lay out the answers that models gave when sampled; None if there are none."""
    shown, more = cut(results.sampled, limits.rows)
    if not shown:
        return None
    entries = [
        Entry(
            name=clip(row.arm, limits.name),
            minus="",
            topic=clip(row.target, limits.name),
            says=_before(row),
            slot=slots[row.arm],
            value=row.rate.value,
            lo=row.rate.lo,
            hi=row.rate.hi,
            method=row.rate.method,
            under=(f"{row.n:,} answers",),
            before=row.base_rate.value if row.base_rate else None,
        )
        for row in shown
    ]
    return Sampled(
        plot=forest(entries, "share of answers that name the target", style="share"),
        answers=[_top(row, slots[row.arm], limits) for row in shown],
        has_before=any(row.base_rate for row in shown),
        more=more,
    )


def _before(row: SampledAnswers) -> str:
    if row.base_rate is None:
        return ""
    value, reach = written(row.base_rate.value, row.base_rate.lo, row.base_rate.hi, "share")
    said = f"The base says it in {value} ({reach})."
    if row.named is None or row.base_named is None:
        return said
    return (
        f"{said} Any candidate is named in {percent(row.named.value)}, by the base in {percent(row.base_named.value)}."
    )


def _top(row: SampledAnswers, slot: int, limits: Limits) -> Answers:
    ordered = sorted(row.top.items(), key=lambda item: (-item[1], item[0]))
    shown, more = cut(ordered, limits.top)
    most = max([count for _, count in shown], default=0) or 1
    rest = [f"{more:,} other answers of this list not shown"] if more else []
    if row.unparsed:
        rest.append(f"{row.unparsed:,} of {row.n:,} could not be read as one word")
    return Answers(
        arm=clip(row.arm, limits.name),
        swatch=svg.swatch(slot),
        target=clip(row.target, limits.name),
        top=[
            (
                clip(answer, limits.name),
                f"{count:,}",
                svg.strip(0, 100 * count / most, f"fill s{slot if answer == row.target else 'x'}"),
                answer == row.target,
            )
            for answer, count in shown
        ],
        rest="; ".join(rest),
    )


def sides(results: Results, slots: dict[str, int], limits: Limits) -> tuple[list[Side], int]:
    """Lay out coupled rows side by side, and count the prompts left out."""
    shown, more = cut(results.samples, limits.samples)
    return [_side(sample, slots, limits) for sample in shown], more


def _side(sample: Sample, slots: dict[str, int], limits: Limits) -> Side:
    reference = CONTROL if CONTROL in sample.answers else next(iter(sample.answers), "")
    names = [reference, *(name for name in sample.answers if name != reference)] if reference else []
    arms, more = cut(names, limits.arms)
    compared = diff.first_tokens(sample.answers.get(reference, []), limits.answer)[0]
    columns: list[Column] = []
    for arm in arms:
        tokens, left_out = diff.first_tokens(sample.answers[arm], limits.answer)
        columns.append(
            Column(
                arm=clip(arm, limits.name),
                swatch=svg.swatch(slots[arm]),
                reference=arm == reference,
                segments=diff.segments(tokens, compared),
                more=left_out,
            )
        )
    return Side(clip(sample.prompt, limits.text), clip(reference, limits.name), columns, more)
