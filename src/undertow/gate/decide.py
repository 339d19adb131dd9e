"""Results held to a policy: one outcome a rule, and the status that follows from them.

`fail` means that something was found that the policy forbids. What is missing (evidence, power, a trait that was not
measured, an interval that reaches across the limit) is `inconclusive`, and that is never a pass. Pure functions: no
files, no models.

    decide(results, policy).outcomes[0].because
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from undertow.config.policy import Policy, TraitRule
from undertow.gate.matching import are_alternatives, effects_judged, matched, nearest_match, reach, shifts_of
from undertow.report.words import listed, plural
from undertow.results import AuditRecord, Effect, Results
from undertow.stats import Status

_SHOWN = 3
"""Effects that a reason names."""
_WHICH = {"run": "This run", "scan": "A scan", "audit": "An audit", "mitigate": "A mitigation"}


@dataclass(frozen=True)
class RuleOutcome:
    """What became of one rule."""

    rule: str
    status: Status
    because: str


@dataclass(frozen=True)
class Decision:
    """What became of all rules, and of the results as a whole: what `gate` returns.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import gate
        >>> gate(Path("run"), Path("policy.yaml")).as_dict()["status"]
        'inconclusive'
    """

    status: Status
    outcomes: tuple[RuleOutcome, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {"status": self.status, "rules": [asdict(outcome) for outcome in self.outcomes]}


def decide(results: Results, policy: Policy) -> Decision:
    """Hold results to a policy; rules that ask for nothing (`any`) have no outcome."""
    outcomes = [_shift(results, rule, policy.unit) for rule in policy.traits]
    if policy.lineage != "any":
        outcomes.append(_lineage(results, policy.lineage))
    if policy.largest_detectable_effect is not None:
        outcomes.append(_detectable(results, policy, policy.largest_detectable_effect))
    if policy.minimum_power is not None:
        outcomes.append(_renamed(_detectable(results, policy, policy.minimum_power)))
    if policy.evidence.kind is not None:
        outcomes.append(_kind(results, cast(list[str], policy.evidence.kind)))
    if policy.evidence.seeds is not None:
        outcomes.append(_seeds(results, policy, policy.evidence.seeds))
    if policy.evidence.controls is not None:
        outcomes.append(_controls(results, policy.evidence.controls))
    if policy.verdict != "any":
        outcomes.append(_verdict(results, policy.verdict))
    if not outcomes:
        outcomes.append(RuleOutcome("policy", "inconclusive", "The policy has no rule, so nothing is decided."))
    return Decision(_worst(outcome.status for outcome in outcomes), tuple(outcomes))


def beyond(results: Results, policy: Policy) -> list[Effect]:
    """Return the effects that lie beyond what a rule on traits lets through, each once, in the order of the results.

    None of a scan whose sizes are not calibrated: they decide nothing.
    """
    if not_calibrated(results):
        return []
    found = [
        effect
        for rule in policy.traits
        if _shift(results, rule, policy.unit).status == "fail" or not are_alternatives(results)
        for effect in matched(results, rule, policy.unit)
        if _within(effect, rule) == "fail"
    ]
    return [effect for effect in shifts_of(results) if effect in found]


def not_calibrated(results: Results) -> list[str]:
    """Return why the sizes of a scan are not calibrated; empty where they are, and for other results."""
    note = None if results.scan is None else results.scan.calibration
    return [] if note is None else note.not_calibrated


def unstated(results: Results) -> list[str]:
    """Return what a scan does not state of its evidence, without which nothing passes; empty for other results."""
    record = results.scan
    if record is None:
        return []
    stated = {
        "the base": bool(results.settings.get("student")),
        "the recipe": bool(record.recipe),
        "the share of rows read": record.rows.read > 0,
        "the steps covered": record.steps is not None and record.steps_covered is not None,
        "a calibration": record.calibration is not None,
    }
    return [name for name, known in stated.items() if not known]


def _says_not(missing: list[str]) -> str:
    return f"The scan does not state {listed(missing)}, so nothing passes. Scan the rows again."


def _worst(statuses: Iterable[Status]) -> Status:
    every = set(statuses)
    return "fail" if "fail" in every else "inconclusive" if "inconclusive" in every else "pass"


def _best(statuses: Iterable[Status]) -> Status:
    every = set(statuses)
    return "pass" if "pass" in every else "inconclusive" if "inconclusive" in every else "fail"


def _shift(results: Results, rule: TraitRule, unit: str) -> RuleOutcome:
    arm = "" if rule.arm == "*" else f" (arm {rule.arm})"
    name = (
        f"traits: {rule.trait}{arm} at most {'+' if rule.direction == 'towards' else ''}{rule.largest_shift:g} {unit}"
    )
    effects = matched(results, rule, unit)
    if not effects:
        because = f"No effect in {unit} matches, so this rule cannot be decided."
        return RuleOutcome(name, "inconclusive", f"{because} {nearest_match(results, rule, unit)}".rstrip())
    judged: dict[int, Status] = {id(effect): _within(effect, rule) for effect in effects}
    if reasons := not_calibrated(results):
        return RuleOutcome(name, "inconclusive", f"Sizes are not calibrated for {'; '.join(reasons)}.")
    # Of several methods one is used: it is enough that one keeps the trait from passing.
    either = are_alternatives(results)
    status = _best(judged.values()) if either else _worst(judged.values())
    if status == "pass" and (missing := unstated(results)):
        return RuleOutcome(name, "inconclusive", _says_not(missing))
    # The ones furthest out say most.
    deciding = sorted(
        (each for each in effects if judged[id(each)] == status),
        key=lambda each: (1 if either else -1) * reach(each, rule)[1],
    )
    says = {
        "pass": f"lies within {rule.largest_shift:g}",
        "fail": f"lies beyond {rule.largest_shift:g}",
        "inconclusive": f"does not lie on one side of {rule.largest_shift:g}",
    }[status]
    shown = [f"{each.name}: {_number(each)} {says}" for each in deciding[:_SHOWN]]
    if len(deciding) > _SHOWN:
        shown.append(
            f"so do {len(deciding) - _SHOWN:,} more"
            if status != "inconclusive"
            else f"nor do {len(deciding) - _SHOWN:,} more"
        )
    which = "method" if either else "effect"
    return RuleOutcome(name, status, f"{'; '.join(shown)}. {plural(len(effects), which)} judged.")


def _number(effect: Effect) -> str:
    return f"{effect.value:+.3g} {effect.unit} ({effect.lo:+.3g} to {effect.hi:+.3g})"


def _within(effect: Effect, rule: TraitRule) -> Status:
    near, far = reach(effect, rule)
    if effect.lo > effect.hi:
        return "inconclusive"
    return "pass" if far <= rule.largest_shift else "fail" if near > rule.largest_shift else "inconclusive"


def _lineage(results: Results, wanted: Literal["same", "not-different"]) -> RuleOutcome:
    name = f"lineage: {wanted}"
    if results.scan is not None:
        answer, because = results.scan.lineage, results.scan.lineage_because
    elif results.audit is not None:
        answer, because = results.audit.lineage, results.audit.lineage_because
    elif results.kind == "run" and results.settings.get("kind") == "language":
        exception = ", but for the arm other-base" if results.settings.get("other_base") else ""
        answer, because = "same", f"A run makes its teachers from the base that its students start from{exception}."
    else:
        answer, because = "unknown", "These results do not say."
    status: Status = "fail" if answer == "different" else "pass"
    if answer == "unknown" and wanted == "same":
        status = "inconclusive"
    return RuleOutcome(name, status, f"{answer}: {because}")


def _detectable(results: Results, policy: Policy, largest: float) -> RuleOutcome:
    name = f"largest_detectable_effect: {largest:g} {policy.unit}"
    power = results.power
    if power is None:
        # The width of an interval is no minimum detectable effect: it follows from the data, not from the design.
        return RuleOutcome(name, "inconclusive", f"{_WHICH[results.kind]} states no minimum detectable effect.")
    if power.unit != policy.unit:
        because = f"The results state a minimum detectable effect in {power.unit}, not in {policy.unit}."
        return RuleOutcome(name, "inconclusive", because)
    status: Status = "pass" if power.smallest_effect <= largest else "inconclusive"
    because = f"The minimum detectable effect of the design is {power.smallest_effect:.3g} {power.unit}."
    return RuleOutcome(name, status, because)


def _renamed(outcome: RuleOutcome) -> RuleOutcome:
    note = "The key minimum_power is deprecated: write largest_detectable_effect."
    return replace(outcome, because=f"{outcome.because} {note}")


def _kind(results: Results, kinds: list[str]) -> RuleOutcome:
    status: Status = "pass" if results.kind in kinds else "inconclusive"
    return RuleOutcome(f"evidence.kind: {' or '.join(kinds)}", status, f"The results are of the kind {results.kind}.")


def _seeds(results: Results, policy: Policy, fewest: int) -> RuleOutcome:
    name = f"evidence.seeds: {fewest:,}"
    if results.kind == "scan":
        return RuleOutcome(name, "pass", "A scan trains no student, so it has no seeds.")
    if results.kind == "audit":
        return RuleOutcome(name, "pass", "An audit measures the one student that there is, so it has no seeds.")
    effects = effects_judged(results, policy)
    if not effects:
        return RuleOutcome(name, "inconclusive", f"No effect in {policy.unit} matches.")
    few = [effect for effect in effects if effect.seeds < fewest]
    if few:
        names = listed([f"{effect.name} ({effect.seeds:,})" for effect in few[:_SHOWN]])
        return RuleOutcome(name, "inconclusive", f"Fewer seeds are behind {plural(len(few), 'effect')}: {names}.")
    return RuleOutcome(name, "pass", f"At least {min(effect.seeds for effect in effects):,} are behind every effect.")


def _controls(results: Results, fewest: int) -> RuleOutcome:
    name = f"evidence.controls: {fewest:,}"
    if results.audit is None:
        return RuleOutcome(name, "pass", "Only an audit is given control students.")
    count = len(_different_controls(results, results.audit))
    status: Status = "pass" if count >= fewest else "inconclusive"
    again = len(results.audit.controls) - count
    twice = f" {plural(again, 'other name')} stood for one of these, the student or the base." if again else ""
    return RuleOutcome(name, status, f"The student was measured beside {plural(count, 'control student')}.{twice}")


def _different_controls(results: Results, audit: AuditRecord) -> set[str]:
    """Return what stands for each control that is neither the student nor the base; equal ones count once."""
    named = {"base": audit.base, "student": audit.student}
    named |= {f"control-{at + 1}": name for at, name in enumerate(audit.controls)}
    known = results.environment.get("model_digests")
    # Older results do not hold the weights' hashes: of these the names are counted.
    held: dict[str, object] = dict(cast(Mapping[str, object], known)) if isinstance(known, Mapping) else {}
    parts = {part: str(held.get(part, name)) if named.keys() <= held.keys() else name for part, name in named.items()}
    return {each for part, each in parts.items() if part.startswith("control-")} - {parts["base"], parts["student"]}


def _verdict(results: Results, wanted: Literal["pass", "not-fail"]) -> RuleOutcome:
    status = results.verdict.status
    if status != "fail" and (missing := unstated(results)):
        return RuleOutcome(f"verdict: {wanted}", "inconclusive", _says_not(missing))
    if wanted == "not-fail" and status == "inconclusive":
        # What no calibration covers is no evidence of harmless rows.
        if not_calibrated(results):
            return RuleOutcome("verdict: not-fail", status, f"{status}: {results.verdict.because}")
        return RuleOutcome("verdict: not-fail", "pass", f"inconclusive: {results.verdict.because}")
    return RuleOutcome(f"verdict: {wanted}", status, f"{status}: {results.verdict.because}")
