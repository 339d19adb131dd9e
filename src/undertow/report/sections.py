"""The content of the page, computed from the results before the template lays it out.

`page` returns all of it. Sections without content are empty or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from markupsafe import Markup

from undertow.report import (
    answers,
    audited,
    curves,
    effects,
    flow,
    hidden,
    mitigated,
    often,
    rehearsed,
    scanned,
    svg,
    verdict,
)
from undertow.report.forest import written
from undertow.report.limits import Limits, cut
from undertow.report.words import clip, decimals_for, duration, level_name, percent, plain, signed, visible
from undertow.results import Curve, Results, TeacherSummary

_DEEPEST = 20
"""Levels of nesting that are laid out; what lies deeper is written on one line."""
_LONGEST = 10_000
"""Bits of a whole number that is written out."""


@dataclass(frozen=True)
class Transfer:
    """How much of the trait the students took over."""

    value: str
    interval: str
    level: str
    n: str
    bar: Markup


@dataclass(frozen=True)
class Teacher:
    """One line of the teachers' table."""

    arm: str
    swatch: Markup
    trait: str
    method: str
    strength: str
    interval: str
    probability: str
    """Of the target: the base's, then the teacher's."""
    kl: str


@dataclass(frozen=True)
class Power:
    """The smallest effect that the design could see."""

    value: str
    unit: str
    power: str
    level: str
    says: str


@dataclass(frozen=True)
class Block:
    """Settings as readable text."""

    text: str
    more: int
    """Lines left out."""


@dataclass(frozen=True)
class Page:
    """The whole page. Fields named `more_*` count what was left out."""

    name: str
    title: str
    kind: str
    status: str
    meaning: str
    because: str
    headline: verdict.Headline | None
    arms: list[effects.Arms]
    more_arms: int
    contrasts: list[effects.Table]
    more_contrasts: int
    often: often.Often | None
    findings: list[effects.Table]
    more_findings: int
    scan: scanned.Scanned | None
    rehearsal: rehearsed.Rehearsed | None
    mitigation: mitigated.Mitigated | None
    audit: audited.Audited | None
    transfer: Transfer | None
    teachers: list[Teacher]
    more_teachers: int
    plots: list[curves.Plot]
    more_plots: int
    flows: list[flow.Flow]
    reasons: flow.Reasons | None
    more_flows: int
    differences: list[flow.Difference]
    more_differences: int
    sides: list[answers.Side]
    more_sides: int
    sampled: answers.Sampled | None
    layers: list[hidden.Hidden]
    power: Power | None
    notes: list[str]
    more_notes: int
    settings: Block | None
    environment: Block | None
    timing: list[tuple[str, str]]
    more_timing: int


def page(results: Results, timing: Mapping[str, float] | None, limits: Limits) -> Page:
    """Work out the whole page.

    Args:
        results: What was measured.
        timing: Seconds per step.
        limits: How much of each thing is shown.
    """
    slots = verdict.slots_of(results)
    arms, more_arms = effects.arms(results, slots, limits)
    contrasts, more_contrasts = effects.tables(results.effects, results, slots, limits, reorder=True)
    findings, more_findings = effects.tables(results.findings, results, slots, limits, reorder=False)
    teachers, more_teachers = cut(results.teachers, limits.rows)
    plots, more_plots = _plots(results.curves, slots, limits)
    funnels, more_flows = cut(results.funnels, limits.arms)
    divergences, more_differences = cut(results.divergences, limits.rows)
    sides, more_sides = answers.sides(results, slots, limits)
    notes, more_notes = cut(results.notes, limits.rows)
    times, more_timing = cut(list((timing or {}).items()), limits.rows)
    return Page(
        name=clip(results.name, limits.name),
        title=clip(results.title or results.name, limits.text // 2),
        kind=results.kind,
        status=results.verdict.status,
        meaning=verdict.meaning(results),
        because=clip(results.verdict.because, 2 * limits.text),
        headline=verdict.headline(results, slots, limits),
        arms=arms,
        more_arms=more_arms,
        contrasts=contrasts,
        often=often.often(results, slots, limits),
        more_contrasts=more_contrasts,
        findings=findings,
        more_findings=more_findings,
        scan=scanned.scanned(results, limits),
        rehearsal=rehearsed.rehearsed(results, limits),
        mitigation=mitigated.mitigated(results, limits),
        audit=audited.audited(results, limits),
        transfer=_transfer(results),
        teachers=[_teacher(teacher, slots[teacher.arm], limits) for teacher in teachers],
        more_teachers=more_teachers,
        plots=plots,
        more_plots=more_plots,
        flows=[flow.flow(funnel, slots[funnel.arm], most=limits.top, name=limits.name) for funnel in funnels],
        reasons=flow.reasons(funnels, most=limits.rows, name=limits.name),
        more_flows=more_flows,
        differences=[flow.difference(row, slots[row.arm], name=limits.name) for row in divergences],
        more_differences=more_differences,
        sides=sides,
        more_sides=more_sides,
        sampled=answers.sampled(results, slots, limits),
        layers=hidden.hidden(results, slots, limits),
        power=_power(results, limits),
        notes=[clip(note, 2 * limits.text) for note in notes],
        more_notes=more_notes,
        settings=_block(results.settings, limits),
        environment=_block(results.environment, limits),
        timing=[(clip(name, limits.name), duration(seconds)) for name, seconds in times],
        more_timing=more_timing,
    )


def _transfer(results: Results) -> Transfer | None:
    fraction = results.transfer_fraction
    if fraction is None:
        return None
    value, reach = written(fraction.value, fraction.lo, fraction.hi, "share")
    scale = svg.scale_of([fraction.value, fraction.lo, fraction.hi, 1.0], pad=0.02)
    return Transfer(
        value=value,
        interval=reach,
        level=level_name(fraction.method),
        n=f"n = {fraction.n:,}",
        bar=svg.interval_bar(scale, fraction.value, fraction.lo, fraction.hi, slot=0, matters=1.0),
    )


def _teacher(teacher: TeacherSummary, slot: int, limits: Limits) -> Teacher:
    strength, reach = "—", ""
    if teacher.strength is not None:
        strength, reach = written(teacher.strength.value, teacher.strength.lo, teacher.strength.hi, "difference")
    return Teacher(
        arm=clip(teacher.arm, limits.name),
        swatch=svg.swatch(slot),
        trait=clip(teacher.trait or "none", limits.name),
        method=clip(teacher.method, limits.name) + (f", {teacher.teachers} teachers" if teacher.teachers > 1 else ""),
        strength=strength,
        interval=reach,
        probability=_probability(teacher.base_probability, teacher.probability),
        kl="—" if teacher.kl_per_token is None else plain(teacher.kl_per_token, 4),
    )


def _probability(base: float | None, teacher: float | None) -> str:
    before, after = ("—" if share is None else percent(share) for share in (base, teacher))
    return f"{before} → {after}" if teacher is not None and base is not None else after


def _plots(every: list[Curve], slots: dict[str, int], limits: Limits) -> tuple[list[curves.Plot], int]:
    groups: dict[tuple[str, str], list[Curve]] = {}
    for curve in every:
        if curve.points:
            groups.setdefault((curve.trait, curve.unit), []).append(curve)
    shown, more = cut(list(groups.values()), limits.arms)
    plots: list[curves.Plot] = []
    for group in shown:
        lines, left_out = cut(group, limits.arms)
        plots.append(curves.plot(lines, slots, points=limits.points, more=left_out, name=limits.name))
    return plots, more


def _power(results: Results, limits: Limits) -> Power | None:
    power = results.power
    if power is None:
        return None
    return Power(
        value=signed(power.smallest_effect, decimals_for(0, power.smallest_effect)),
        unit=clip(power.unit, limits.name),
        power=percent(power.power),
        level=percent(power.level),
        says=clip(power.says, limits.text),
    )


def _block(settings: Mapping[str, Any], limits: Limits) -> Block | None:
    if not settings:
        return None
    import yaml

    text = yaml.safe_dump(_simple(settings), sort_keys=False, allow_unicode=True, width=88)
    lines: list[str] = []
    room = limits.block
    every = text.splitlines()
    for line in every:
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    return Block("\n".join(lines), len(every) - len(lines))


def _simple(value: object, depth: int = 0) -> object:
    """Turn a value into what YAML writes plainly; strings lose their invisible characters first."""
    if isinstance(value, int) and value.bit_length() > _LONGEST:
        return f"(a whole number of {value.bit_length():,} bits)"  # Python refuses to write it
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth < _DEEPEST and isinstance(value, Mapping):
        items = cast(Mapping[object, object], value).items()
        return {visible(str(key)): _simple(item, depth + 1) for key, item in items}
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return [_simple(item, depth + 1) for item in cast(list[object], value)]
    try:
        return visible(str(value))
    except ValueError:  # such a number further inside
        return "(too large to be shown)"
