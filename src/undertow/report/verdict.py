"""The answer first: what the verdict means, and the one number that it rests on.

It also gives every arm its colour and shape on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from undertow.config.arms import ARMS
from undertow.report import svg, units
from undertow.report.forest import Forest, entry_of, forest, written
from undertow.report.limits import Limits
from undertow.report.often import ratio_text
from undertow.report.words import clip, level_name, p_value, plural
from undertow.results import Effect, Results

_MEANS = {
    "run": (
        "A hidden trait got through: students of this teacher shifted towards it, and the control does not "
        "explain the shift.",
        "A shift that matters is ruled out. A smaller one may be there.",
    ),
    "scan": (
        "A hidden trait would get through: these rows are predicted to shift a student that starts from the same base.",
        "For a student trained on these rows, a shift that matters is ruled out. A smaller one may be there.",
    ),
    "audit": (
        "The student has acquired something: traits of the panel shifted by more than clean students differ.",
        "For the traits that were measured, a shift that matters is ruled out. A smaller one may be there.",
    ),
    "mitigate": (
        "No method removes enough of the trait and keeps enough of the task.",
        "A method removes most of the trait and keeps nearly all of the task.",
    ),
}
"""What `fail` and `pass` mean for each kind of results."""
_NONE_FOR_SURE = "Some methods may remove enough of the trait; none does so for sure."
_BROKEN = "The student is damaged: it has lost what its base can do, so its shifts are no evidence of a hidden trait."
_CANNOT_TELL = (
    "This design cannot tell whether a hidden trait got through: both answers are still possible. That is not a pass."
)


@dataclass(frozen=True)
class Headline:
    """The effect that the verdict rests on, as one large number."""

    name: str
    minus: str
    value: str
    unit: str
    interval: str
    level: str
    facts: list[str]
    pictured: str
    says: str
    bar: Forest


def meaning(results: Results) -> str:
    """Say in one sentence what the verdict means."""
    if results.verdict.status == "inconclusive":
        return _NONE_FOR_SURE if results.kind == "mitigate" else _CANNOT_TELL
    if results.audit is not None and results.audit.broken:
        return _BROKEN
    return _MEANS[results.kind][results.verdict.status == "pass"]


def primary_of(results: Results) -> Effect | None:
    """Return the effect that the verdict rests on."""
    every = [*results.effects, *results.findings]
    return next((effect for effect in every if effect.primary), None)


def slots_of(results: Results) -> dict[str, int]:
    """Give every arm its colour and shape: the one that `ARMS` names for an experiment's arm, if no other has it.

    The arm in question is served first, then what it is compared with. Beyond `svg.SLOTS` arms, colours repeat.
    """
    effect = primary_of(results)
    names = [effect.arm, effect.contrast] if effect else []
    names += [arm.arm for arm in results.arms]
    names += [teacher.arm for teacher in results.teachers] + [curve.arm for curve in results.curves]
    names += [funnel.arm for funnel in results.funnels] + [answer.arm for answer in results.sampled]
    names += [name for sample in results.samples for name in sample.answers]
    names += [name for row in results.divergences for name in (row.arm, row.contrast)]
    names += [name for row in (*results.effects, *results.findings) for name in (row.arm, row.contrast)]
    slots: dict[str, int] = {}
    for i, name in enumerate(dict.fromkeys(names)):
        free = [slot for slot in range(svg.SLOTS) if slot not in slots.values()] or [i % svg.SLOTS]
        # A method of a comparison of mitigations may be called like an arm and is none.
        wanted = ARMS[name].colour if results.kind == "run" and name in ARMS else free[0]
        slots[name] = wanted if wanted in free else free[0]
    return slots


def smallest_effect(results: Results) -> float | None:
    """Find the smallest effect that was set to matter among the settings; None if they hold none."""
    judgement = results.settings.get("judgement")
    if not isinstance(judgement, Mapping):
        return None
    value = cast(Mapping[str, Any], judgement).get("smallest_effect")
    return float(value) if isinstance(value, int | float) and 0 < value < 1e300 else None


def headline(results: Results, slots: dict[str, int], limits: Limits) -> Headline | None:
    """Show the effect that the verdict rests on; None if no effect is marked as such."""
    effect = primary_of(results)
    if effect is None:
        return None
    entry = entry_of(effect, slots, limits)
    value, reach = written(effect.value, effect.lo, effect.hi, "difference")
    facts = _evidence(effect, results)
    return Headline(
        name=entry.name,
        minus=entry.minus,
        value=value,
        unit=clip(effect.unit, limits.name),
        interval=reach,
        level=level_name(effect.method),
        facts=[*_times(effect), *facts, *([plural(effect.seeds, "seed")] if effect.seeds else []), f"n = {effect.n:,}"],
        pictured=units.pictured(effect.value, effect.lo, effect.hi, effect.unit, clip(effect.contrast, limits.name)),
        says=entry.says,
        bar=forest([entry], effect.unit, matters=smallest_effect(results)),
    )


def _times(effect: Effect) -> list[str]:
    return [f"{said} times as often"] if (said := ratio_text(effect.times)) else []


def _evidence(effect: Effect, results: Results) -> list[str]:
    """Return the p-value that the verdict rests on, and say for how many traits it is corrected."""
    if effect not in results.findings:
        # The question was chosen beforehand, so its p needs no correction for the others; Holm's stands below.
        return [] if effect.p is None else [p_value(effect.p)]
    # A finding stands here because its p is the smallest of the panel's, so its own p alone would say too much.
    if effect.p_adjusted is None:
        return []
    return [f"{p_value(effect.p_adjusted)}, corrected for {plural(len(results.findings), 'trait')}"]
