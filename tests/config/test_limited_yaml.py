"""YAML from strangers: bombs cost no more than their bytes, and every fault is said with its line."""

import re
import time

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from undertow.config import experiment as spec
from undertow.config.files import parse_yaml
from undertow.config.limited_yaml import LONGEST_TEXT, MOST_VALUES, YamlProblem, read_yaml
from undertow.config.policy import parse_policy
from undertow.errors import InputError, SpecError

LAUGHS = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
BOMBS = {
    "laughs": (LAUGHS, "aliases counted"),
    "merges": (MERGES, "aliases counted"),
    "itself": ("&a [*a]", "inside of what it names"),
    "brackets": ("[" * 500_000, "nested too deeply"),
    "dashes": ("- " * 400_000, "nested too deeply"),
    "values": ("[" + "1," * 400_000 + "]", f"more than {MOST_VALUES:,} values"),
    "base 60": ("a: 1" + ":1" * 400_000, "a number of more than"),
    "hex": ("a: 0x" + "f" * 400_000, "a number of more than"),
    "float": ("a: " + "1" * 400_000 + ".5", "a number of more than"),
    "length": ("a" * (LONGEST_TEXT + 1), "longer than"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(name: str) -> None:
    text, reason = BOMBS[name]
    started = time.process_time()
    with pytest.raises(YamlProblem, match=reason):
        read_yaml(text)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("name", BOMBS)
def test_specs_traits_and_policies_are_held_to_the_same_limits(name: str) -> None:
    text = BOMBS[name][0]
    with pytest.raises(SpecError):
        spec.parse_spec(text, "spec")
    with pytest.raises(InputError):
        parse_yaml(text, "trait")
    if name != "length":  # the file's size is limited before
        with pytest.raises(InputError):
            parse_policy(text, "policy")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch /tmp/owned']",
        "!!python/name:os.system",
        "a: !!python/module:os",
        "!!map [",
        "2001-99-99",
        "a: !!binary x",
        "? [a]\n: b",
        "%YAML 9.9\n---\na",
        "a: b: c",
        "\x00",
        "*nobody",
        "a: !!int x",
        "!!float ''",
        "--- a\n--- b",
    ],
)
def test_what_is_no_plain_yaml_ends_in_a_reason(text: str) -> None:
    with pytest.raises(YamlProblem) as caught:
        read_yaml(text)
    assert str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_is_named() -> None:
    with pytest.raises(YamlProblem) as caught:
        read_yaml("a: 1\nb: [\nc: }")
    assert caught.value.line == 3
    with pytest.raises(SpecError, match=r"mine\.yaml, line 2"):
        spec.parse_spec("a: 1\n\tb: 2", "mine.yaml")


def test_anchors_of_a_usual_size_still_work() -> None:
    assert read_yaml("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}") == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=20,
)


@given(_PLAIN)
def test_plain_values_are_read_as_pyyaml_reads_them(value: object) -> None:
    text = yaml.safe_dump(value)
    assume(not re.search(r"\d[eE][-+]?\d", text))  # 1e5, which is a number here and text there
    assert read_yaml(text) == yaml.safe_load(text)
