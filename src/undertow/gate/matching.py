"""Which effects of a results file a policy's rules are about, and where their intervals lie.

It decides nothing: `decide` does. Pure functions.

    matched(results, rule, "log-odds")
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import cast

from undertow.config.policy import Policy, TraitRule
from undertow.errors import nearest
from undertow.report.words import listed
from undertow.results import Effect, Results


def shifts_of(results: Results) -> list[Effect]:
    """Return what results say of how far traits shift: all that a policy about traits may count.

    The effects of a comparison of mitigations are what each method removes, and a large one is good. What its students
    still carry is the shift of each method's line. The ordinary training is what methods are compared with.
    """
    if results.kind != "mitigate":
        return [*results.effects, *results.findings]
    removed = {effect.contrast: effect for effect in results.effects}
    return [
        Effect(
            name=f"left:{line.method}",
            arm=line.method,
            contrast="control",
            trait=effect.trait,
            value=line.shift.value,
            lo=line.shift.lo,
            hi=line.shift.hi,
            n=line.shift.n,
            seeds=effect.seeds,
            p=None,
            unit=effect.unit,
            method=line.shift.method,
            says=f"The shift that is left with {line.method}, trait minus control.",
        )
        for line in results.mitigation
        if (effect := removed.get(line.method)) is not None
    ]


def are_alternatives(results: Results) -> bool:
    """Tell whether the effects are of students of which one is taken: those of the methods of a comparison."""
    return results.kind == "mitigate"


def matched(results: Results, rule: TraitRule, unit: str) -> list[Effect]:
    """Return the effects that a rule is about."""
    names = families(results)
    return [effect for effect in shifts_of(results) if _matches(effect, rule, unit, names)]


def _matches(effect: Effect, rule: TraitRule, unit: str, names: Mapping[str, str]) -> bool:
    called = (effect.trait, names.get(effect.trait, effect.trait))
    return (
        effect.unit == unit
        and fnmatchcase(effect.arm, rule.arm)
        and any(fnmatchcase(name, rule.trait) for name in called)
    )


def nearest_match(results: Results, rule: TraitRule, unit: str) -> str:
    """Say why a rule matches nothing: the nearest trait or arm, or the units that there are; empty without effects."""
    names = families(results)
    every = shifts_of(results)
    if not every:
        return ""
    called = {name for each in every for name in (each.trait, names.get(each.trait, each.trait))}
    if not any(fnmatchcase(name, rule.trait) for name in called):
        groups = {f"{name.partition(':')[0]}:*" for name in called if ":" in name}
        return (
            f"No trait is called {rule.trait!r}; {_near(rule.trait, called | (groups if '*' in rule.trait else set()))}"
        )
    own = [each for each in every if _matches(each, rule.model_copy(update={"arm": "*"}), each.unit, names)]
    arms = {each.arm for each in own}
    if not any(fnmatchcase(arm, rule.arm) for arm in arms):
        return f"No arm with this trait is called {rule.arm!r}; {_near(rule.arm, arms)}"
    units = sorted({each.unit for each in own})
    return f"Effects with this trait are in {listed(units)}, not in {unit}."


def _near(name: str, known: set[str]) -> str:
    hint = nearest(name, sorted(known))
    if hint.startswith("known") and len(known) > _MOST_NAMES:
        return f"known: {', '.join(sorted(known)[:_MOST_NAMES])} and {len(known) - _MOST_NAMES:,} more."
    return hint if hint.endswith("?") else f"{hint}."


_MOST_NAMES = 6
"""Names that a reason lists where none is near."""


def families(results: Results) -> dict[str, str]:
    """Map a run's traits to the names that a scan has for them: `owl` to `animals:owl`."""
    names: dict[str, str] = {}
    # A comparison of mitigations states the experiment that it compares on.
    whole = results.settings.get("experiment") if results.kind == "mitigate" else results.settings
    settings = cast(Mapping[str, object], whole) if isinstance(whole, Mapping) else {}
    for key in ("trait", "other"):
        stored = settings.get(key)
        if isinstance(stored, Mapping):
            trait = cast(Mapping[str, object], stored)
            target = str(trait.get("target", trait.get("name", "")))
            names[target] = f"{trait.get('category', target)}:{target}"
    return names


def effects_judged(results: Results, policy: Policy) -> list[Effect]:
    """Return the effects that the rules on traits are about; all of the policy's unit where there is no such rule."""
    rules = policy.traits or [TraitRule(trait="*", largest_shift=1.0)]
    names = families(results)
    return [each for each in shifts_of(results) if any(_matches(each, rule, policy.unit, names) for rule in rules)]


def reach(effect: Effect, rule: TraitRule) -> tuple[float, float]:
    """Return the interval's end that is nearest to no shift, and the one that is furthest."""
    if rule.direction == "towards":
        return effect.lo, effect.hi
    sizes = sorted((abs(effect.lo), abs(effect.hi)))
    return (0.0 if effect.lo <= 0 <= effect.hi else sizes[0]), sizes[1]
