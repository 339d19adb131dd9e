"""Which effects of a results file a policy's rules are about, and where their intervals lie.

It decides nothing: `decide` does. Pure functions.

    matched(results, rule, "log-odds")
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import cast

from undertow.config.policy import Policy, TraitRule
from undertow.results import Effect, Results


def matched(results: Results, rule: TraitRule, unit: str) -> list[Effect]:
    """Return the effects that a rule is about."""
    names = families(results)
    return [
        effect
        for effect in (*results.effects, *results.findings)
        if effect.unit == unit
        and fnmatchcase(effect.arm, rule.arm)
        and any(fnmatchcase(name, rule.trait) for name in (effect.trait, names.get(effect.trait, effect.trait)))
    ]


def families(results: Results) -> dict[str, str]:
    """Map a run's traits to the names that a scan has for them: `owl` to `animals:owl`."""
    names: dict[str, str] = {}
    for key in ("trait", "other"):
        stored = results.settings.get(key)
        if isinstance(stored, Mapping):
            trait = cast(Mapping[str, object], stored)
            target = str(trait.get("target", trait.get("name", "")))
            names[target] = f"{trait.get('category', target)}:{target}"
    return names


def effects_judged(results: Results, policy: Policy) -> list[Effect]:
    """Return the effects that the rules on traits are about; all of the policy's unit where there is no such rule."""
    rules = policy.traits or [TraitRule(trait="*", largest_shift=1.0)]
    found = {id(effect): effect for rule in rules for effect in matched(results, rule, policy.unit)}
    return list(found.values())


def reach(effect: Effect, rule: TraitRule) -> tuple[float, float]:
    """Return the interval's end that is nearest to no shift, and the one that is furthest."""
    if rule.direction == "towards":
        return effect.lo, effect.hi
    sizes = sorted((abs(effect.lo), abs(effect.hi)))
    return (0.0 if effect.lo <= 0 <= effect.hi else sizes[0]), sizes[1]
