"""Two runs side by side: their verdicts, every effect of either in one forest plot, and the settings that differ.

A scan beside an audit with controls, or beside a run, is a prediction beside what training did: effects are paired by
their trait alone.

It shows intervals next to each other and tests nothing. Two runs may share seeds, rows or a base, so these files alone
give no interval for the difference of two effects. Pure functions of two `Results`.

    comparison(first, second)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np

from undertow.report import units
from undertow.report.forest import Entry as Bar
from undertow.report.forest import Forest, Row, forest
from undertow.report.limits import Limits, cut
from undertow.report.often import ratio_text
from undertow.report.words import clip, p_value, plural
from undertow.results import Effect, Results
from undertow.stats import spearman

_LIMITS: Final = Limits()
_PAIRS: Final = 40
_SETTINGS: Final = 60
_DEEPEST: Final = 12
_VALUE: Final = 300

_RANKED: Final = 5
"""Traits from which a rank correlation of predicted and measured shifts says something."""

Key = tuple[str, str, str, str]
"""Trait, arm, contrast, unit: what makes effects of two runs the same question."""


@dataclass(frozen=True)
class Pair:
    """An effect in either run; None where a run has none."""

    trait: str
    arm: str
    minus: str
    first: Row | None
    second: Row | None


@dataclass(frozen=True)
class Plot:
    """The effects of one unit above one axis."""

    unit: str
    explained: str
    pairs: list[Pair]
    more: int
    frame: Forest
    """Holds the axis and the name of the interval."""


@dataclass(frozen=True)
class Setting:
    """A setting that differs."""

    key: str
    first: str
    second: str


@dataclass(frozen=True)
class Comparison:
    """What two runs have in common and what they do not."""

    plots: list[Plot]
    says: str
    """How many effects both have."""
    settings: list[Setting]
    more_settings: int
    same_settings: int
    environment: list[Setting]
    more_environment: int


def comparison(first: Results, second: Results) -> Comparison:
    """Set two runs side by side."""
    ours, theirs = _keyed(first), _keyed(second)
    foretold = _foretells(first, second) or _foretells(second, first)
    if foretold:
        ours, theirs = _by_trait(ours, theirs)
    # What both have comes first: that is what can be compared.
    keys = sorted(dict.fromkeys((*ours, *theirs)), key=lambda key: (key in ours) + (key in theirs), reverse=True)
    shared = sum(key in ours and key in theirs for key in keys)
    plots = [
        _plot([key for key in keys if key[3] == unit], ours, theirs) for unit in dict.fromkeys(key[3] for key in keys)
    ]
    settings, more, same = _differing(first.settings, second.settings)
    environment, more_environment, _ = _differing(first.environment, second.environment)
    says = _shared(shared, len(keys)) + (_agreement(ours, theirs) if foretold else "")
    return Comparison(plots, says, settings, more, same, environment, more_environment)


def _shared(count: int, of: int) -> str:
    if not count:
        return "No effect was measured in both runs."
    if count == of:
        return "Every effect was measured in both runs."
    said = "was measured in both runs and comes" if count == 1 else "were measured in both runs and come"
    return f"{count:,} of {of:,} effects {said} first."


def _foretells(scan: Results, other: Results) -> bool:
    """Whether one is a prediction of what the other measured, question by question."""
    if scan.kind != "scan":
        return False
    if other.kind == "audit":
        # Without a control an audit holds what any training does besides, which a scan leaves out; shifts of a sampled
        # audit are no numbers to be compared with.
        against = {effect.contrast for effect in other.findings}
        return against == {"control"} and (other.audit is None or other.audit.sampling is None)
    return other.kind == "run"


def _agreement(ours: Mapping[Key, Effect], theirs: Mapping[Key, Effect]) -> str:
    both = [key for key in ours if key in theirs]
    if len(both) < _RANKED:
        return ""
    rho = spearman(*(np.array([side[key].value for key in both]) for side in (ours, theirs)))
    return f" Predicted and measured shifts have a rank correlation of {rho:+.2f}."


def _keyed(results: Results) -> dict[Key, Effect]:
    keyed: dict[Key, Effect] = {}
    for effect in sorted((*results.effects, *results.findings), key=lambda effect: not effect.primary):
        keyed.setdefault((effect.trait, effect.arm, effect.contrast, effect.unit), effect)
    return keyed


def _by_trait(ours: dict[Key, Effect], theirs: dict[Key, Effect]) -> tuple[dict[Key, Effect], dict[Key, Effect]]:
    """Give one key to the first effect of a trait on either side; whatever has no partner keeps its own."""
    first, second = _named(ours, theirs), _named(theirs, ours)
    left: dict[Key, Key] = {}
    right: dict[Key, Key] = {}
    for (name, unit), key in first.items():
        if (other := second.get((name, unit))) is not None:
            both = (ours[key], theirs[other])
            said = " / ".join(f"{each.arm} minus {each.contrast}" for each in both)
            left[key] = right[other] = (name, said, "", unit)
    return (
        {left.get(key, key): effect for key, effect in ours.items()},
        {right.get(key, key): effect for key, effect in theirs.items()},
    )


def _named(side: Mapping[Key, Effect], other: Mapping[Key, Effect]) -> dict[tuple[str, str], Key]:
    """Return the first effect of each trait and unit, the trait by the name that the other side may know it by.

    Experiments name no entry of the panel: their `owl` is the scan's `animals:owl` if that is the only owl.
    """
    targets = [key[0].rpartition(":")[2] for key in side]
    bare = any(":" not in key[0] for key in other)
    found: dict[tuple[str, str], Key] = {}
    for key, target in zip(side, targets, strict=True):
        name = target if bare and targets.count(target) == 1 else key[0]
        found.setdefault((name, key[3]), key)
    return found


def _plot(keys: list[Key], ours: Mapping[Key, Effect], theirs: Mapping[Key, Effect]) -> Plot:
    shown, more = cut(keys, _PAIRS)
    bars = [_bar(side[key], slot) for key in shown for slot, side in enumerate((ours, theirs)) if key in side]
    unit = shown[0][3]
    frame = forest(bars, clip(unit, _LIMITS.name))
    rows = iter(frame.rows)
    pairs = [
        Pair(
            trait=clip(trait, _LIMITS.name),
            arm=clip(arm, _LIMITS.name),
            minus=clip(contrast, _LIMITS.name) if contrast and units.difference(unit) else "",
            first=next(rows) if (trait, arm, contrast, unit) in ours else None,
            second=next(rows) if (trait, arm, contrast, unit) in theirs else None,
        )
        for trait, arm, contrast, _ in shown
    ]
    return Plot(clip(unit, _LIMITS.name), units.explained(unit), pairs, more, frame)


def _bar(effect: Effect, slot: int) -> Bar:
    p = effect.p if effect.p_adjusted is None else effect.p_adjusted
    under = (
        [p_value(p) + (f" ({effect.adjusted_by})" if effect.p_adjusted is not None else "")] if p is not None else []
    )
    return Bar(
        name="AB"[slot],
        minus="",
        topic="",
        says="",
        slot=slot,
        value=effect.value,
        lo=effect.lo,
        hi=effect.hi,
        method=effect.method,
        under=(*under, *_times(effect), *([plural(effect.seeds, "seed")] if effect.seeds else [])),
        primary=effect.primary,
    )


def _times(effect: Effect) -> list[str]:
    return [f"{said} times as often"] if (said := ratio_text(effect.times)) else []


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[list[Setting], int, int]:
    """Return the settings that differ, how many more there are, and how many are the same."""
    ours, theirs = dict(_flat(first)), dict(_flat(second))
    keys = list(dict.fromkeys((*ours, *theirs)))
    differ = [key for key in keys if ours.get(key) != theirs.get(key)]
    shown, more = cut(differ, _SETTINGS)
    lines = [
        Setting(clip(key, _LIMITS.text // 4), clip(ours.get(key, "—"), _VALUE), clip(theirs.get(key, "—"), _VALUE))
        for key in shown
    ]
    return lines, more, len(keys) - len(differ)


def _flat(value: Mapping[str, Any], above: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    """Yield every setting with its dotted key; lists stay whole."""
    for key, item in value.items():
        name = f"{above}{key}"
        if isinstance(item, Mapping) and item and depth < _DEEPEST:
            yield from _flat(cast(Mapping[str, Any], item), f"{name}.", depth + 1)
        else:
            yield name, item if isinstance(item, str) else _written(item)


def _written(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return "(too large to be shown)"
