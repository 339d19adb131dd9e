"""Policy files that are whole, wrong, huge or hostile."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from undertow import gate
from undertow.config.policy import MAX_BYTES, Evidence
from undertow.errors import InputError
from undertow.gate import DEFAULT, Policy, parse_policy, read_policy

ROOT = Path(__file__).parents[2]
WHOLE = """
traits:
  - {trait: "animals:*", largest_shift: 1, arm: trait, direction: towards}
unit: log-odds
lineage: not-different
largest_detectable_effect: 0.2
minimum_power: 0.3
evidence: {kind: [run, scan], seeds: 3}
verdict: not-fail
"""


def test_every_key_is_read() -> None:
    read = parse_policy(WHOLE, "policy.yaml")
    assert read.traits[0].largest_shift == 1
    assert read.model_dump(mode="json", exclude_unset=True) == yaml.safe_load(WHOLE)


def test_the_example_and_the_default_of_the_documentation_are_policies() -> None:
    assert len(read_policy(ROOT / "examples/ci/policy.yaml").traits) == 1
    blocks = [block.split("```")[0] for block in (ROOT / "docs/gate.md").read_text("utf-8").split("```yaml\n")[1:]]
    assert DEFAULT in [parse_policy(block, "docs/gate.md") for block in blocks]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rule"),
        ("{}", "holds no rule"),
        ("- 1", "holds no rule"),
        ("verdict", "holds no rule"),
        ("verdit: pass", "unknown key 'verdit'\n  did you mean 'verdict'?"),
        ("traits: [{trait: a, largest_shift: 1, larges_shift: 2}]", "did you mean 'largest_shift'?"),
        ("evidence: {sed: 3}", "did you mean 'seeds'?"),
        ("1: 2", "1: Keys should be strings"),
        ("verdict: maybe", "verdict: Input should be"),
        ("traits: 3", "traits: Input should be a valid list"),
        ("traits: [{largest_shift: 1}]", "traits.0.trait: Field required"),
        ("traits: [{trait: a}]", "traits.0.largest_shift: Field required"),
        ("traits: [{trait: a, largest_shift: 0}]", "greater than 0"),
        ("traits: [{trait: a, largest_shift: -1}]", "greater than 0"),
        ("traits: [{trait: a, largest_shift: .inf}]", "finite"),
        ("traits: [{trait: a, largest_shift: .nan}]", "traits.0.largest_shift"),
        ("traits: [{trait: a, largest_shift: true}]", "valid number"),
        ("traits: [{trait: a, largest_shift: '1'}]", "valid number"),
        ("traits: [{trait: '', largest_shift: 1}]", "at least 1 character"),
        ('traits: [{trait: "\\ud800", largest_shift: 1}]', "traits.0.trait"),
        ("largest_detectable_effect: 1e999", "finite number"),
        ("evidence: {kind: []}", "at least 1 item"),
        ("evidence: {kind: [walk]}", "evidence.kind.0"),
        ("evidence: {seeds: 2.5}", "evidence.seeds"),
        ("evidence: {seeds: 0}", "evidence.seeds"),
        ("verdict: any\nverdict: pass", "line 2: has the key 'verdict' twice"),
        ("traits: [{trait: a, largest_shift: 1, largest_shift: 9}]", "twice"),
        ("verdict: &a any", "anchor or alias"),
        ("verdict: *a", "anchor or alias"),
        ("verdict: !!str any", "the tag"),
        ("verdict: !!python/object/apply:os.system [echo]", "the tag"),
        ("<<: {verdict: any}", "merges another mapping in"),
        ("verdict: [", "is not YAML"),
        ("\tverdict: any", "is not YAML"),
        ("verdict: any\n---\nverdict: pass", "is not YAML"),
        ("verdict: 2001-99-99", "is not YAML"),
        ('verdict: "\\U00110000"', "is not YAML"),
        (f"largest_detectable_effect: {'9' * 5000}", "is not YAML"),
        (f"largest_detectable_effect: {'9:' * 300}59.5", "YAML"),
        ("verdict: \x00", "is not YAML"),
        ("? {a: 1}\n: 2", "is not YAML"),
        ("[" * 20_000, "nested too deeply"),
        ("{a: " * 5_000, "nested too deeply"),
        (f"{'k' * 1_000}: 1", "unknown key"),
    ],
)
def test_what_is_no_policy_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_policy(text, "policy.yaml")
    assert message in str(raised.value)
    assert str(raised.value).startswith("policy.yaml")
    assert raised.value.fix
    assert len(str(raised.value)) < 1000


def test_a_policy_asks_for_a_pass_unless_it_says_otherwise() -> None:
    read = parse_policy("unit: nats", "policy.yaml")
    assert (read.verdict, read.lineage, read.minimum_power, read.traits) == ("pass", "any", None, [])
    assert read.evidence == Evidence(kind=None, seeds=None, controls=None)
    (rule,) = parse_policy("traits: [{trait: a, largest_shift: 1}]", "policy.yaml").traits
    assert (rule.arm, rule.direction) == ("*", "either")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("unit: {0}", 40),
        ("traits: [{{trait: {0}, largest_shift: 1}}]", 200),
        ("traits: [{{trait: a, largest_shift: 1, arm: {0}}}]", 200),
    ],
)
def test_names_have_a_longest_length(text: str, fits: int) -> None:
    assert parse_policy(text.format("x" * fits), "policy.yaml")
    with pytest.raises(InputError, match="at most"):
        parse_policy(text.format("x" * (fits + 1)), "policy.yaml")


def test_a_mistake_is_named_by_its_line() -> None:
    for text, line in (("unit: a\n\nverdict: &a any", 3), ("unit: a\nunit: b", 2), ("unit: [\n\n", 3)):
        with pytest.raises(InputError) as raised:
            parse_policy(text, "policy.yaml")
        assert raised.value.where == f"policy.yaml, line {line}"


def test_every_public_name_loads() -> None:
    for name in gate.__all__:
        assert getattr(gate, name) is not None
    assert set(gate.__all__) <= set(dir(gate))


def test_a_bomb_of_aliases_does_not_go_off() -> None:
    layers = [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 30)]
    with pytest.raises(InputError, match="anchor or alias"):
        parse_policy("\n".join(["a0: &a0 lol", *layers]), "policy.yaml")


@pytest.mark.parametrize("data", [b"#" * (MAX_BYTES + 1), b"verdict: \xff", None])
def test_what_cannot_be_read_is_said(data: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=r"policy\.yaml"):
        read_policy(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_policy(tmp_path)


def _parses_or_refuses(text: str) -> None:
    try:
        read = parse_policy(text, "policy.yaml")
    except InputError:
        return
    assert isinstance(read, Policy)


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    _parses_or_refuses(text)


_WORDS = st.sampled_from(
    [*Policy.model_fields, "trait", "largest_shift", "arm", "kind", "seeds", "pass", "any", "*", "run", "<<", "=", "~"]
)
_VALUES = st.recursive(
    _WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.integers(), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(_WORDS, _VALUES, max_size=4))
def test_any_structure_is_a_policy_or_refused(data: object) -> None:
    _parses_or_refuses(yaml.safe_dump(data))


@given(st.lists(st.sampled_from([*"\n :-[]{}!&*?|>'\"%@#,.0123456789eE+_~<=", "verdict", "traits", "!!bool", "0b"])))
def test_any_signs_are_a_policy_or_refused(signs: list[str]) -> None:
    _parses_or_refuses("".join(signs))
