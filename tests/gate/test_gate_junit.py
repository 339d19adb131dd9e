"""The outcomes as a CI server reads them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stored_results import effect, run
from undertow.gate import Decision, Policy, RuleOutcome, to_junit
from undertow.gate.decide import Status, decide

HOSTILE = '<b>&"\x00\x1b[2J]]>\u202e\ufffe'


def parsed(decision: Decision, suite: str = "run owls") -> ElementTree.Element:
    text = to_junit(decision, suite=suite)
    return ElementTree.fromstring(text.encode("utf-8"))


def test_one_case_a_rule_with_counts_that_add_up() -> None:
    statuses: tuple[Status, ...] = ("pass", "fail", "inconclusive", "inconclusive")
    decision = Decision("fail", tuple(RuleOutcome(f"rule {at}", each, "so it is") for at, each in enumerate(statuses)))
    root = parsed(decision)
    (suite,) = root
    for place in (root, suite):
        assert {key: place.get(key) for key in ("tests", "failures", "errors")} == {
            "tests": "4",
            "failures": "1",
            "errors": "2",
        }
    assert (root.tag, suite.tag, suite.get("name"), suite.get("skipped")) == (
        "testsuites",
        "testsuite",
        "run owls",
        "0",
    )
    assert [case.get("name") for case in suite] == ["rule 0", "rule 1", "rule 2", "rule 3"]
    assert {case.tag for case in suite} == {"testcase"}
    assert {case.get("classname") for case in suite} == {"run owls"}
    assert [[child.tag for child in case] for case in suite] == [["system-out"], ["failure"], ["error"], ["error"]]
    failure = suite[1][0]
    assert (failure.get("message"), failure.get("type"), failure.text) == ("so it is", "fail", "so it is")


def test_a_hostile_trait_stays_text() -> None:
    policy = Policy.model_validate({"traits": [{"trait": HOSTILE[:5] + "*", "largest_shift": 0.2}]})
    root = parsed(decide(run(effect(HOSTILE, 1.0)), policy), suite=HOSTILE)
    case = root[0][0]
    assert case.get("name") == 'traits: <b>&"* at most 0.2 log-odds'
    said = case[0].text or ""
    assert r'trait-control:<b>&"\u0000\u001b[2J]]>\u202e\ufffe: +1 log-odds' in said
    assert not list(root.iter("b"))


@given(st.text(), st.text(), st.sampled_from(["pass", "fail", "inconclusive"]))
def test_any_text_gives_xml(rule: str, because: str, status: Status) -> None:
    root = parsed(Decision(status, (RuleOutcome(rule, status, because),)), suite=rule)
    assert len(list(root.iter("testcase"))) == 1


def test_the_same_decision_gives_the_same_bytes() -> None:
    decision = decide(run(), Policy())
    assert to_junit(decision, suite="a") == to_junit(decision, suite="a")


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_long_text_is_cut(size: int) -> None:
    outcome = RuleOutcome("r" * size, "fail", "b" * size)
    assert len(to_junit(Decision("fail", (outcome,)), suite="s" * size)) < 10_000
