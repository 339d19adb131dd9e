"""How many times as often, in numbers and as bars: the answer's share among base, control and students.

often(results, slots, limits)    the section of the page; None where nothing was measured so
ratio_text(effect.times)         '3.96 (3.41 to 4.60)'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from undertow.report import svg
from undertow.report.limits import Limits, cut
from undertow.report.words import clip, decimals_for, interval, level_name, percent, plain, signed
from undertow.results import Effect, Interval, Results, TimesAsOften


@dataclass(frozen=True)
class Bar:
    """A share of the answers."""

    who: str
    share: str
    bar: Markup


@dataclass(frozen=True)
class Named:
    """One contrast: three bars, and the ratio of the last two."""

    name: str
    minus: str
    topic: str
    how: str
    """By probability, or by sampled answers."""
    swatch: Markup
    bars: list[Bar]
    ratio: str
    method: str


@dataclass(frozen=True)
class Often:
    """The section."""

    named: list[Named]
    level: str
    """The interval's name."""
    elevation: str
    """How far the trait stands out, in words; empty where that cannot be told."""
    more: int


def often(results: Results, slots: dict[str, int], limits: Limits) -> Often | None:
    """Lay out how often models name the traits; None where it was not measured."""
    every = [
        (effect, how, found)
        for effect in results.effects
        for how, found in (("by probability", effect.times), ("by sampled answers", effect.sampled_times))
        if found is not None
    ]
    shown, more = cut(every, limits.rows)
    if not shown:
        return None
    level = level_name(next((found.ratio.method for *_, found in shown if found.ratio), ""))
    named = [_named(effect, how, found, slots, limits) for effect, how, found in shown]
    return Often(named, level, elevation_text(results.elevation), more)


def _named(effect: Effect, how: str, found: TimesAsOften, slots: dict[str, int], limits: Limits) -> Named:
    shares = {"base": found.base_share, effect.contrast: found.contrast_share, effect.arm: found.share}
    longest = max(shares.values()) or 1.0
    return Named(
        name=clip(effect.arm, limits.name),
        minus=clip(effect.contrast, limits.name),
        topic=clip(effect.trait, limits.name),
        how=how,
        swatch=svg.swatch(slots[effect.arm]),
        bars=[
            Bar(clip(who, limits.name), percent(share), svg.strip(0, 100 * share / longest, _colour(who, slots)))
            for who, share in shares.items()
        ],
        ratio=ratio_text(found) or "too seldom for a ratio",
        method=clip(found.ratio.method, limits.text) if found.ratio else "",
    )


def _colour(who: str, slots: dict[str, int]) -> str:
    return f"fill s{slots[who] % svg.SLOTS}" if who in slots else "fill sx"


def ratio_text(found: TimesAsOften | None) -> str:
    """Write a ratio with its interval; empty where there is none."""
    if found is None or found.ratio is None:
        return ""
    ratio = found.ratio
    decimals = min(decimals_for(ratio.lo, ratio.hi), 2)
    return f"{plain(ratio.value, decimals)} ({interval(ratio.lo, ratio.hi, decimals, sign=False)})"


def elevation_text(found: Interval | None) -> str:
    """Say how far the trait stands out; empty where that was not measured."""
    if found is None:
        return ""
    decimals = decimals_for(found.lo, found.hi)
    return (
        f"The trait stands {signed(found.value, decimals)} log-odds ({interval(found.lo, found.hi, decimals)}) above "
        f"what its students do to any candidate and what any student does to it ({found.method})."
    )


def has_times(effects: Sequence[Effect]) -> bool:
    """Say whether some effect holds how many times as often."""
    return any(each.times is not None for each in effects)
