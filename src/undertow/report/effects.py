"""The arms and their contrasts: one forest plot per unit, and every number of it in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undertow.report import units
from undertow.report.forest import Entry, Forest, Row, Style, entry_of, forest
from undertow.report.limits import Limits, cut
from undertow.report.verdict import primary_of, smallest_effect
from undertow.report.words import clip, p_value
from undertow.results import ArmSummary, Effect, Results


@dataclass(frozen=True)
class Table:
    """Contrasts of one unit: the plot, and every number of it."""

    plot: Forest
    explained: str
    lines: list[dict[str, str]]
    corrected: str
    """How p-values were corrected; empty where they were not."""
    tested: bool
    difference: bool
    """The effects are differences between arms."""


@dataclass(frozen=True)
class Arms:
    """The arms of one unit."""

    plot: Forest
    explained: str
    absolute: bool
    shared: str
    """What the descriptions of all arms end with."""


def arms(results: Results, slots: dict[str, int], limits: Limits) -> tuple[list[Arms], int]:
    """Lay out the forest plots of the arms, one per unit, and count the arms left out."""
    shown, more = cut(results.arms, limits.rows)
    sections: list[Arms] = []
    for unit in dict.fromkeys(arm.unit for arm in shown):
        group = [arm for arm in shown if arm.unit == unit]
        own, shared = _without_shared_end([arm.says for arm in group])
        style: Style = "absolute" if units.absolute(unit) else "difference"
        entries = [_arm(arm, says, slots, limits) for arm, says in zip(group, own, strict=True)]
        sections.append(
            Arms(
                plot=forest(entries, clip(unit, limits.name), style=style),
                explained=units.explained(unit),
                absolute=units.absolute(unit),
                shared=clip(shared, limits.text),
            )
        )
    return sections, more


def _arm(arm: ArmSummary, says: str, slots: dict[str, int], limits: Limits) -> Entry:
    return Entry(
        name=clip(arm.arm, limits.name),
        minus="",
        topic="",
        says=clip(says, limits.text),
        slot=slots[arm.arm],
        value=arm.shift.value,
        lo=arm.shift.lo,
        hi=arm.shift.hi,
        method=arm.shift.method,
        under=(f"n = {arm.shift.n:,}",),
    )


def _without_shared_end(texts: Sequence[str]) -> tuple[list[str], str]:
    """Split off the sentences that all texts end with, so that the page says them once."""
    split = [text.split(". ") for text in texts]
    shared: list[str] = []
    while len(texts) > 1 and all(len(parts) > 1 for parts in split) and len({p[-1] for p in split}) == 1:
        shared.insert(0, split[0][-1])
        split = [parts[:-1] for parts in split]
    if not shared:
        return list(texts), ""
    return [f"{'. '.join(parts)}." for parts in split], ". ".join(shared)


def tables(
    effects: Sequence[Effect], results: Results, slots: dict[str, int], limits: Limits, *, reorder: bool
) -> tuple[list[Table], int]:
    """Lay out effects, one plot and table per unit, and count the effects left out.

    Args:
        effects: The contrasts or findings.
        results: Where they come from.
        slots: Colour and shape of each arm.
        limits: What fits.
        reorder: Put the effect that the verdict rests on first; findings keep their order.
    """
    main = primary_of(results)
    ordered = list(effects)
    if reorder and main is not None:
        ordered.sort(key=lambda effect: (effect.unit != main.unit, not effect.primary))
    shown, more = cut(ordered, limits.rows)
    sections: list[Table] = []
    for unit in dict.fromkeys(effect.unit for effect in shown):
        group = [effect for effect in shown if effect.unit == unit]
        matters = smallest_effect(results) if main is not None and main.unit == unit else None
        entries = [entry_of(effect, slots, limits) for effect in group]
        plot = forest(entries, clip(unit, limits.name), matters=matters)
        sections.append(
            Table(
                plot=plot,
                explained=units.explained(unit),
                lines=[_numbers(effect, row, limits) for effect, row in zip(group, plot.rows, strict=True)],
                corrected=next((each.adjusted_by for each in group if each.p_adjusted is not None), ""),
                tested=any(effect.p is not None for effect in group),
                difference=units.difference(unit),
            )
        )
    return sections, more


def _numbers(effect: Effect, row: Row, limits: Limits) -> dict[str, str]:
    return {
        "name": f"{row.name} − {row.minus}" if row.minus else row.name,
        "trait": row.topic,
        "value": row.value,
        "interval": row.interval,
        "p": p_value(effect.p).removeprefix("p = ").removeprefix("p "),
        "adjusted": p_value(effect.p_adjusted).removeprefix("p = ").removeprefix("p "),
        "seeds": f"{effect.seeds:,}",
        "n": f"{effect.n:,}",
        "method": clip(effect.method, limits.text),
    }
