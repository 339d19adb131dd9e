"""Every rule in every outcome."""

from __future__ import annotations

from typing import Any

import pytest

from stored_results import comparison, effect, finding, run, scan
from undertow.config.policy import DEFAULT
from undertow.gate import Policy
from undertow.gate.decide import RuleOutcome, beyond, decide
from undertow.results import AuditRecord, CalibrationNote, Results


def policy(**rules: Any) -> Policy:
    return Policy.model_validate({"verdict": "any"} | rules)


def only(results: Results, **rules: Any) -> RuleOutcome:
    decision = decide(results, policy(**rules))
    (outcome,) = decision.outcomes
    assert decision.status == outcome.status
    return outcome


def within(largest: float, trait: str = "*", **more: Any) -> dict[str, Any]:
    return {"traits": [{"trait": trait, "largest_shift": largest, **more}]}


@pytest.mark.parametrize(
    ("value", "half", "status"),
    [
        (0.0, 0.05, "pass"),
        (0.1, 0.125, "inconclusive"),
        (0.15, 0.125, "inconclusive"),
        (0.4, 0.1, "fail"),
        (-0.4, 0.1, "fail"),
        (-0.1, 0.125, "inconclusive"),
        (0.125, 0.125, "inconclusive"),
        (0.0, 0.2, "pass"),
        (0.0, 5.0, "inconclusive"),
    ],
)
def test_the_far_end_passes_and_the_near_end_fails(value: float, half: float, status: str) -> None:
    for results in (run(effect(value=value, half=half)), scan(finding("animals:owl", value, half))):
        assert only(results, **within(0.2)).status == status


@pytest.mark.parametrize("value", [0.0, 0.15, 0.4])
def test_sizes_that_are_not_calibrated_decide_nothing(value: float) -> None:
    results = scan(finding("animals:owl", value, 0.01), status="inconclusive")
    assert results.scan is not None
    note = CalibrationNote(id="smollm2", tier="virtual", not_calibrated=["400 steps (measured at 8)"])
    results = results.model_copy(update={"scan": results.scan.model_copy(update={"calibration": note})})
    outcome = only(results, **within(0.2))
    assert outcome.status == "inconclusive"
    assert "not calibrated for 400 steps (measured at 8)" in outcome.because
    assert beyond(results, policy(**within(0.2))) == []
    assert only(results, verdict="pass").status == "inconclusive"


@pytest.mark.parametrize(("value", "status"), [(-0.4, "pass"), (0.4, "fail"), (0.2, "inconclusive")])
def test_a_shift_away_can_be_let_through(value: float, status: str) -> None:
    assert only(run(effect(value=value)), **within(0.2, direction="towards")).status == status


def test_the_worst_effect_decides_and_is_named() -> None:
    three = [finding("animals:owl", 0.5), finding("animals:cat", 0.15, 0.1), finding("foods:rice")]
    outcome = only(scan(*three), **within(0.2))
    assert outcome.status == "fail"
    assert "rows:animals:owl: +0.5 log-odds (+0.45 to +0.55) lies beyond 0.2" in outcome.because
    assert "cat" not in outcome.because
    assert "3 effects judged" in outcome.because
    assert only(scan(*three), **within(0.2, "animals:cat")).status == "inconclusive"
    assert only(scan(*three), **within(0.2, "foods:*")).status == "pass"


def test_a_near_end_on_the_limit_is_not_beyond_it() -> None:
    assert only(run(effect(value=0.375, half=0.125)), **within(0.25)).status == "inconclusive"
    assert only(run(effect(value=0.375, half=0.125)), **within(0.5)).status == "pass"
    assert only(run(effect(value=0.375, half=0.125)), **within(0.2499)).status == "fail"


def test_a_list_of_three_is_whole_and_a_fourth_is_counted() -> None:
    def because(count: int, half: float) -> str:
        return only(scan(*(finding(f"animals:a{at}", 1 + at, half) for at in range(count))), **within(0.2)).because

    assert "more" not in because(3, 0.1)
    assert "so do 1 more" in because(4, 0.1)
    assert "nor do 1 more" in because(4, 9.0)
    assert because(1, 0.1) == "rows:animals:a0: +1 log-odds (+0.9 to +1.1) lies beyond 0.2. 1 effect judged."
    assert "lies within 0.2" in only(scan(finding("animals:a")), **within(0.2)).because
    assert "does not lie on one side of 0.2" in because(1, 9.0)


def test_rules_name_what_they_ask_for() -> None:
    assert only(run(), **within(0.2)).rule == "traits: * at most 0.2 log-odds"
    towards = only(run(), **within(0.2, "owl", direction="towards", arm="trait")).rule
    assert towards == "traits: owl (arm trait) at most +0.2 log-odds"
    assert only(run(), lineage="same").rule == "lineage: same"
    assert only(run(), largest_detectable_effect=0.2).rule == "largest_detectable_effect: 0.2 log-odds"
    assert only(run(), evidence={"kind": ["run", "scan"]}).rule == "evidence.kind: run or scan"
    assert only(run(), evidence={"seeds": 3}).rule == "evidence.seeds: 3"
    assert only(run(), evidence={"controls": 2}).rule == "evidence.controls: 2"
    for status in ("pass", "fail", "inconclusive"):
        assert only(run(status=status), verdict="not-fail").rule == "verdict: not-fail"


def test_reasons_say_what_is_missing() -> None:
    bare = run().model_copy(update={"effects": []})
    assert only(bare, **within(0.2)).because == "No effect in log-odds matches, so this rule cannot be decided."
    assert only(bare, evidence={"seeds": 1}).because == "No effect in log-odds matches."
    nothing = scan().model_copy(update={"findings": []})
    assert only(nothing, largest_detectable_effect=9).because == "A scan states no minimum detectable effect."
    unpowered = only(run(power=None), largest_detectable_effect=9).because
    assert unpowered == "This run states no minimum detectable effect."
    seen = only(run(), largest_detectable_effect=9).because
    assert seen == "The minimum detectable effect of the design is 0.1 log-odds."
    assert only(run(settings={}), lineage="same").because == "unknown: These results do not say."
    assert only(scan(lineage="same"), lineage="same").because == "same: the weights say so"
    assert only(scan(), evidence={"kind": ["run"]}).because == "The results are of the kind scan."
    assert only(run(), verdict="pass").because == "pass: because of this"
    assert only(run(status="inconclusive"), verdict="not-fail").because == "inconclusive: because of this"
    assert only(run(), evidence={"seeds": 3}).because == "At least 3 are behind every effect."
    few = only(run(effect(seeds=1)), evidence={"seeds": 2}).because
    assert few == "Fewer seeds are behind 1 effect: trait-control:owl (1)."
    assert decide(run(), policy()).outcomes == (
        RuleOutcome("policy", "inconclusive", "The policy has no rule, so nothing is decided."),
    )


def test_a_decision_is_plain_json() -> None:
    found = decide(run(), policy(evidence={"seeds": 3}))
    assert found.as_dict() == {
        "status": "pass",
        "rules": [{"rule": "evidence.seeds: 3", "status": "pass", "because": "At least 3 are behind every effect."}],
    }


def test_what_lies_beyond_is_each_effect_once_in_order() -> None:
    results = run(effect("cat", 0.5), effect(value=0.5), effect("dog"))
    two = policy(traits=[{"trait": "owl", "largest_shift": 0.2}, {"trait": "*", "largest_shift": 0.3}])
    assert [each.trait for each in beyond(results, two)] == ["cat", "owl"]
    assert beyond(results, policy()) == []


def test_a_long_list_is_cut() -> None:
    many = [finding(f"animals:a{at}", 1 + at) for at in range(9)]
    because = only(scan(*many), **within(0.2)).because
    assert because.startswith("rows:animals:a8")
    assert "so do 6 more" in because


def test_what_was_not_measured_is_no_pass() -> None:
    assert only(scan(), **within(0.2, "foods:*")).status == "inconclusive"
    assert only(run(effect(unit="accuracy")), **within(0.2)).status == "inconclusive"
    assert only(run(effect(unit="accuracy")), **within(0.2), unit="accuracy").status == "pass"
    assert only(run().model_copy(update={"effects": []}), **within(0.2)).status == "inconclusive"


def test_an_interval_with_its_ends_swapped_is_no_pass() -> None:
    assert only(run(effect(lo=0.1, hi=-0.1)), **within(0.2)).status == "inconclusive"
    assert only(run(effect(lo=0.5, hi=-9.0)), **within(0.2, direction="towards")).status == "inconclusive"


@pytest.mark.parametrize("pattern", ["owl", "animals:owl", "animals:*", "*", "o?l"])
def test_a_run_is_matched_by_the_names_that_a_scan_has(pattern: str) -> None:
    assert only(run(), **within(0.2, pattern)).status == "pass"


def test_a_disposition_of_a_run_has_the_name_of_a_scan_too() -> None:
    settings = {
        "kind": "language",
        "trait": {"kind": "disposition", "name": "curtness"},
        "other": ["not", "a", "trait"],
    }
    results = run(effect("curtness"), settings=settings)
    assert only(results, **within(0.2, "curtness:curtness")).status == "pass"
    assert only(results, **within(0.2, "animals:*")).status == "inconclusive"


def test_a_rule_can_name_an_arm() -> None:
    results = run(effect(value=0.5), effect(arm="other-base"))
    assert only(results, **within(0.2)).status == "fail"
    outcome = only(results, **within(0.2, arm="other-*"))
    assert outcome.status == "pass"
    assert "other-*" in outcome.rule


@pytest.mark.parametrize(
    ("lineage", "same", "not_different"),
    [("same", "pass", "pass"), ("different", "fail", "fail"), ("unknown", "inconclusive", "pass")],
)
def test_lineage(lineage: str, same: str, not_different: str) -> None:
    assert only(scan(lineage=lineage), lineage="same").status == same
    assert only(scan(lineage=lineage), lineage="not-different").status == not_different


def test_a_run_of_language_models_has_one_lineage_and_others_do_not_say() -> None:
    assert only(run(), lineage="same").status == "pass"
    assert only(run(settings={}), lineage="same").status == "inconclusive"
    both = only(run(settings={"kind": "language", "other_base": "embedded/another"}), lineage="same")
    assert "but for the arm other-base" in both.because


def test_the_minimum_detectable_effect_of_a_run() -> None:
    seen = only(run(), largest_detectable_effect=0.1)
    assert seen.status == "pass"
    assert seen.because == "The minimum detectable effect of the design is 0.1 log-odds."
    assert only(run(), largest_detectable_effect=0.09).status == "inconclusive"
    unsaid = only(run(power=None), largest_detectable_effect=9)
    assert (unsaid.status, unsaid.because) == ("inconclusive", "This run states no minimum detectable effect.")
    assert only(run(), largest_detectable_effect=9, unit="accuracy").status == "inconclusive"


@pytest.mark.parametrize(
    ("kind", "which"), [("scan", "A scan"), ("audit", "An audit"), ("mitigate", "A mitigation"), ("run", "This run")]
)
@pytest.mark.parametrize("key", ["largest_detectable_effect", "minimum_power"])
def test_narrow_intervals_are_no_minimum_detectable_effect(kind: str, which: str, key: str) -> None:
    narrow = scan(finding("animals:owl", half=1e-6)).model_copy(update={"kind": kind})
    outcome = only(narrow, **{key: 9.0})
    assert outcome.status == "inconclusive"
    assert f"{which} states no minimum detectable effect." in outcome.because


@pytest.mark.parametrize("largest", [0.09, 0.1, 9.0])
@pytest.mark.parametrize("results", [run(), run(power=None), scan()])
def test_the_old_name_asks_the_same_and_says_that_it_is_deprecated(results: Results, largest: float) -> None:
    new, old = only(results, largest_detectable_effect=largest), only(results, minimum_power=largest)
    assert (old.rule, old.status) == (new.rule, new.status)
    assert old.because == f"{new.because} The key minimum_power is deprecated: write largest_detectable_effect."
    both = decide(results, policy(largest_detectable_effect=largest, minimum_power=0.01))
    assert [each.status for each in both.outcomes] == [new.status, "inconclusive"], "the stricter of the two decides"


def test_kinds() -> None:
    assert only(scan(), evidence={"kind": ["run", "scan"]}).status == "pass"
    assert only(scan(), evidence={"kind": ["run", "audit"]}).status == "inconclusive"


def test_controls() -> None:
    def audited(*controls: str, digests: dict[str, str] | None = None) -> Results:
        record = AuditRecord(
            base="b",
            student="s",
            controls=list(controls),
            capability=[],
            lineage="same",
            lineage_because="",
            adapter="",
        )
        return run().model_copy(
            update={"kind": "audit", "audit": record, "environment": {"model_digests": digests or {}}}
        )

    assert only(audited("one", "two"), evidence={"controls": 2}).status == "pass"
    few = only(audited("one"), evidence={"controls": 2})
    assert few.status == "inconclusive"
    assert "1 control student." in few.because
    # The same model counts once, by its weights where results hold them and by its name in older ones.
    for same in (audited("one", "one"), audited("one", "s"), audited("b", "one")):
        assert only(same, evidence={"controls": 2}).status == "inconclusive"
    parts = {"base": "0", "student": "1", "control-1": "2"}
    different = audited("one", "one", digests=parts | {"control-2": "3"})
    assert only(different, evidence={"controls": 2}).status == "pass"
    for other in "012":
        same = audited("one", "two", digests=parts | {"control-2": other})
        assert only(same, evidence={"controls": 2}).status == "inconclusive"
    assert only(scan(), evidence={"controls": 2}).status == "pass"


def test_seeds() -> None:
    assert only(run(), evidence={"seeds": 3}).status == "pass"
    few = only(run(effect(), effect("cat", seeds=1)), evidence={"seeds": 2})
    assert few.status == "inconclusive"
    assert "trait-control:cat (1)" in few.because
    assert only(scan(), evidence={"seeds": 3}).status == "pass"
    assert only(run(effect(seeds=1)).model_copy(update={"kind": "audit"}), evidence={"seeds": 3}).status == "pass"
    assert only(run().model_copy(update={"effects": []}), evidence={"seeds": 1}).status == "inconclusive"


@pytest.mark.parametrize(
    ("status", "strictly", "leniently"),
    [("pass", "pass", "pass"), ("fail", "fail", "fail"), ("inconclusive", "inconclusive", "pass")],
)
def test_the_results_own_verdict(status: str, strictly: str, leniently: str) -> None:
    for results in (run(status=status), scan(status=status)):
        assert only(results, verdict="pass").status == strictly
        assert only(results, verdict="not-fail").status == leniently


def test_fail_outweighs_inconclusive_and_inconclusive_a_pass() -> None:
    rules = policy(verdict="pass", evidence={"kind": ["run", "scan"]}, **within(0.2))
    assert decide(run(), rules).status == "pass"
    assert decide(run(status="inconclusive"), rules).status == "inconclusive"
    assert decide(run(effect(value=1), status="inconclusive"), rules).status == "fail"
    assert [each.status for each in decide(run(effect(value=1), status="inconclusive"), rules).outcomes] == [
        "fail",
        "pass",
        "inconclusive",
    ]


def test_a_policy_that_asks_for_nothing_is_no_pass() -> None:
    assert decide(run(), policy()).status == "inconclusive"


def test_in_a_comparison_of_mitigations_what_is_left_counts_and_not_what_is_removed() -> None:
    good = comparison(format=0.0, freeze=0.7)
    outcome = only(good, **within(0.2))
    assert outcome.status == "pass"
    assert outcome.because == "left:format: +0 log-odds (-0.05 to +0.05) lies within 0.2. 2 methods judged."
    assert decide(good, DEFAULT).status == "pass"
    assert not beyond(good, policy(**within(0.2)))
    # The ordinary training is what methods are compared with, and a method that removes nothing is no good one.
    bad = comparison(freeze=0.9, mask=0.7)
    assert only(bad, **within(0.2)).status == "fail"
    assert only(bad, **within(0.2)).because.startswith("left:mask: +0.7")
    assert [each.name for each in beyond(bad, policy(**within(0.2)))] == ["left:freeze", "left:mask"]
    assert only(comparison(freeze=0.2), **within(0.2)).status == "inconclusive"


def test_a_rule_on_a_comparison_names_its_method_as_an_arm_and_its_trait_as_a_scan_does() -> None:
    good = comparison(format=0.0, freeze=0.7)
    assert only(good, **within(0.2, "animals:owl", arm="freeze")).status == "fail"
    assert only(good, **within(0.2, "animals:*", arm="format")).status == "pass"
    assert only(good, evidence={"seeds": 4}).because.startswith("Fewer seeds are behind 2 effects: left:format (3)")
    assert "called 'frezee'; did you mean 'freeze'?" in only(good, **within(0.2, arm="frezee")).because


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"trait": "animals:owll"}, "No trait is called 'animals:owll'; did you mean 'animals:owl'?"),
        ({"trait": "animal:*"}, "No trait is called 'animal:*'; did you mean 'animals:*'?"),
        ({"trait": "zzz"}, "No trait is called 'zzz'; known: animals:owl, curtness:curtness."),
        ({"trait": "animals:owl", "arm": "row"}, "called 'row'; did you mean 'rows'?"),
    ],
)
def test_a_pattern_that_matches_nothing_is_told_the_nearest(rule: dict[str, str], said: str) -> None:
    outcome = only(scan(), traits=[rule | {"largest_shift": 0.2}])
    assert outcome.status == "inconclusive"
    assert said in outcome.because


def test_what_no_name_is_near_to_is_told_a_few_names_and_what_is_in_another_unit_its_unit() -> None:
    many = scan(*(finding(f"animals:a{at}") for at in range(30)))
    assert only(many, **within(0.2, "zzz")).because.endswith("and 24 more.")
    other = only(run(effect(unit="accuracy")), **within(0.2)).because
    assert other.endswith("Effects with this trait are in accuracy, not in log-odds.")


@pytest.mark.parametrize("missing", ["recipe", "steps", "steps_covered", "calibration", "rows", "student"])
@pytest.mark.parametrize("wanted", ["pass", "not-fail"])
def test_nothing_passes_where_a_scan_does_not_state_its_evidence(missing: str, wanted: str) -> None:
    whole = scan(status="pass")
    assert whole.scan is not None
    rules = policy(verdict=wanted, **within(0.2))
    assert decide(whole, rules).status == "pass"
    if missing == "student":
        less = whole.model_copy(update={"settings": {}})
    else:
        none = {"recipe": "", "rows": whole.scan.rows.model_copy(update={"read": 0})}.get(missing)
        less = whole.model_copy(update={"scan": whole.scan.model_copy(update={missing: none})})
    assert {each.status for each in decide(less, rules).outcomes} == {"inconclusive"}


def test_steps_that_no_calibration_covers_pass_no_policy() -> None:
    large = scan(status="inconclusive")
    assert large.scan is not None
    note = large.scan.calibration
    assert note is not None
    assert decide(large, policy(verdict="not-fail", **within(0.2))).status == "pass"
    reasons = note.model_copy(update={"not_calibrated": ["18,750 steps (measured at 8)"]})
    record = large.scan.model_copy(update={"steps": 18750, "steps_covered": 24, "calibration": reasons})
    found = decide(large.model_copy(update={"scan": record}), policy(verdict="not-fail", **within(0.2)))
    assert {each.status for each in found.outcomes} == {"inconclusive"}
