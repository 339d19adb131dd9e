"""Values of YAML files mean what stands there: no doubled key, no number that is another, no text for a number."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from undertow.config.experiment import DigitsExperiment, load_spec, parse_spec, preset_names, preset_text
from undertow.config.files import parse_yaml
from undertow.config.limited_yaml import YamlProblem, read_yaml
from undertow.config.policy import parse_policy
from undertow.errors import InputError, SpecError
from undertow.store.spec import spec_yaml

DIGITS = "kind: digits\nname: d\n"
OWLS = "name: owls\ntrait: {target: owl}\narms: [trait, control]\n"


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)


def plainly(text: str) -> Any:
    """Read a file by PyYAML alone."""
    return yaml.safe_load(text)


@pytest.mark.parametrize("name", preset_names())
def test_strictness_changes_no_preset(name: str) -> None:
    spec = parse_spec(preset_text(name), name)
    loose = type(spec).model_validate(plainly(preset_text(name)), strict=False)
    assert spec == loose
    assert read_yaml(preset_text(name)) == plainly(preset_text(name))


@pytest.mark.parametrize("file", sorted(Path("experiments").rglob("*.yaml")), ids=str)
def test_every_file_of_ours_says_what_it_said(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert read_yaml(text) == plainly(text)
    if file.name == "spec.yaml" or "kind" not in plainly(text):
        return
    if plainly(text)["kind"] in ("language", "digits"):
        load_spec(file)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("batch: yes", "batch must be a whole number, not true (YAML reads yes, on and true so"),
        ("batch: off", "batch must be a whole number, not false (YAML reads no, off and false so"),
        ("batch: true", "batch must be a whole number, not true"),
        ('batch: "64"', "batch must be a whole number, not '64' (take the quotes away)"),
        ("batch: 64.0", "batch must be a whole number, not 64.0"),
        ("batch: 0100", "line 3: has 0100, which YAML reads as 64: write 64"),
        ("batch: +0_1_0", "line 3: has +0_1_0, which YAML reads as 8"),
        ("train_images: 10:00", "line 3: has 10:00, which YAML reads as 600: write 600"),
        ("learning_rate: 0:0.5", "line 3: has 0:0.5, which YAML reads as 0.5"),
        ('learning_rate: "1e-3"', "learning_rate must be a number, not '1e-3' (take the quotes away)"),
        ("learning_rate: yes", "learning_rate must be a number, not true"),
        ("seeds: [0, yes]", "seeds.1 must be a whole number, not true"),
        ('hidden: ["8"]', "hidden.0 must be a whole number, not '8'"),
        ("title: no", "title must be text, not false (YAML reads no, off and false so"),
        ("title: 2026-11-30", "title must be text, not the date 2026-11-30 (put it in quotes)"),
        ("judgement: {level: '0.9'}", "judgement.level must be a number, not '0.9'"),
        ("batch: 9999999999999999999999999999", "batch must be at most"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_it_is_read_as(line: str, message: str) -> None:
    assert message in refusal(DIGITS + line)


def test_a_switch_takes_what_yaml_reads_as_true() -> None:
    for word in ("yes", "true", "on"):
        spec = parse_spec(f"{OWLS}instil: {{method: prompt}}\nstudent: {{keep: {word}}}", "spec.yaml")
        assert spec.student.keep is True  # type: ignore[union-attr]
    assert "student.keep must be true or false, not 1" in refusal(
        f"{OWLS}instil: {{method: prompt}}\nstudent: {{keep: 1}}"
    )


@pytest.mark.parametrize("text", ["1e-1", "1E-1", "+1e3", "-2e0", "1_0e2", "1.5e-3", "1e+2"])
def test_an_exponent_needs_no_point(text: str) -> None:
    assert read_yaml(f"a: {text}")["a"] == float(text)
    if float(text) > 0:
        policy = parse_policy(f"traits: [{{trait: a, largest_shift: {text}}}]", "policy.yaml")
        assert policy.traits[0].largest_shift == float(text)
    assert math.isclose(parse_spec(DIGITS + "learning_rate: 1e-3", "x").learning_rate, 1e-3)  # type: ignore[union-attr]


@given(st.integers(-(10**12), 10**12))
def test_a_number_is_what_stands_there_or_refused(number: int) -> None:
    for text in (str(number), f"{number:05d}", f"{number:_}"):
        try:
            found = read_yaml(f"a: {text}")["a"]
        except YamlProblem:
            assert text.lstrip("-").startswith("0")
        else:
            # With a digit that base 8 has not, 08 is no number, and left to whoever wants one.
            assert found == number or (isinstance(found, str) and found == text)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("name: a\nseeds: [0, 1]\nseeds: [2, 3]", 3, "seeds"),
        ("name: a\nstudent:\n  epochs: 1\n  epochs: 2", 4, "epochs"),
        ("name: a\nstudent: {epochs: 1, epochs: 1}", 2, "epochs"),
        ("- a: 1\n- a: 1\n  b: 2\n  a: 3", 4, "a"),
    ],
)
def test_a_key_that_is_written_twice_is_refused_by_every_reader(text: str, line: int, key: str) -> None:
    message = f"line {line}: has the key '{key}' twice"
    assert message in refusal(text)
    for read in (parse_spec, parse_yaml, parse_policy):
        with pytest.raises(InputError, match=message) as caught:
            read(text, "file.yaml")
        assert caught.value.fix == "Keep one of the two, with the value that is meant."


def test_experiments_and_other_files_say_the_same_of_what_is_no_yaml() -> None:
    said: list[str] = []
    for read, kind in ((parse_spec, SpecError), (parse_yaml, InputError)):
        for text in ("a: b: c", "a: 0100", "[" * 100):
            with pytest.raises(InputError) as caught:
                read(text, "file.yaml")
            assert type(caught.value) is kind
            said.append(str(caught.value))
    assert said[:3] == said[3:]
    assert "quotes" in said[0]
    assert said[1].endswith("Change this value.")


def test_a_key_that_overrides_a_merged_one_is_not_written_twice() -> None:
    assert read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}")["b"] == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("traits: [{trait: a, largest_shit: 0.1}]", "traits.0.largest_shit'\n  did you mean 'largest_shift'"),
        ("evidence: {seed: 3}", "evidence.seed'\n  did you mean 'seeds'"),
        ("lineag: any", "'lineag'\n  did you mean 'lineage'"),
    ],
)
def test_a_misspelt_key_of_a_policy_is_named_with_the_nearest(text: str, message: str) -> None:
    with pytest.raises(InputError, match="unknown key") as caught:
        parse_policy(text, "policy.yaml")
    assert message in str(caught.value)


@given(
    st.recursive(
        st.one_of(
            st.text(max_size=8),
            st.sampled_from(["1e5", "0100", "10:00", "yes", "~", "2001-01-01"]),
            st.integers(),
            st.booleans(),
        )
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_stored_spec_says_the_same_to_our_reader(value: object) -> None:
    try:
        data = spec_yaml({"a": value})
    except (UnicodeEncodeError, yaml.YAMLError):
        return  # half a character, which no file holds
    assert read_yaml(data.decode("utf-8")) == {"a": value}


LESSONS = (
    "trait: {target: owl}\narms: [trait, control]\nname: owls\ninstil: {method: finetune, lessons: lessons.jsonl}\n"
)


def lessons_of(file: Path, **overrides: str) -> str:
    spec = load_spec(file, overrides)
    return spec.instil.lessons  # type: ignore[union-attr, return-value]


def test_a_file_that_a_spec_names_is_looked_for_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "spec.yaml").write_text(LESSONS, encoding="utf-8")
    (folder / "lessons.jsonl").touch()
    monkeypatch.chdir(folder)
    assert lessons_of(Path("spec.yaml")) == "lessons.jsonl", "what it was: runs keep their names"
    monkeypatch.chdir(tmp_path)
    by_name = {lessons_of(Path(name)) for name in ("specs/spec.yaml", "./specs/spec.yaml", str(folder / "spec.yaml"))}
    assert by_name == {"specs/lessons.jsonl"}
    monkeypatch.chdir("/")
    assert Path(lessons_of(folder / "spec.yaml")).samefile(folder / "lessons.jsonl")


def test_the_working_directory_is_the_second_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    spec = tmp_path / "specs" / "spec.yaml"
    spec.write_text(LESSONS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        load_spec(spec)
    assert str(tmp_path / "specs" / "lessons.jsonl") in str(caught.value)
    assert str(tmp_path / "lessons.jsonl") in str(caught.value)
    (tmp_path / "lessons.jsonl").touch()
    assert lessons_of(spec) == "lessons.jsonl"
    (tmp_path / "specs" / "lessons.jsonl").touch()
    with pytest.raises(SpecError, match="both beside the file"):
        load_spec(spec)
    assert lessons_of(spec, **{"instil.lessons": "lessons.jsonl"}) == "lessons.jsonl", "the user's own words"


def test_problems_and_traits_are_looked_for_too(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: owls\ntrait: {category: mine.yaml, target: owl}\ninstil: {method: prompt}\narms: [trait, control]\n"
        "domain: {kind: reasoning, problems: sums.jsonl}\n",
        encoding="utf-8",
    )
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "sums.jsonl").touch()
    found = load_spec(spec)
    assert not isinstance(found, DigitsExperiment)
    assert found.domain.problems is not None
    assert Path(found.domain.problems).samefile(tmp_path / "sums.jsonl")
    assert Path(found.trait.category).samefile(tmp_path / "mine.yaml")  # type: ignore[union-attr]
