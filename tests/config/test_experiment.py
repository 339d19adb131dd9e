"""Experiment files: what a wrong one is told, and values that take the place of the file's."""

from pathlib import Path
from typing import Any

import pytest

from undertow.config.experiment import (
    MAX_SPEC_BYTES,
    DigitsExperiment,
    DispositionTrait,
    LanguageExperiment,
    load_preset,
    load_spec,
    parse_spec,
    preset_names,
    preset_text,
)
from undertow.errors import InputError, SpecError

OWL = """\
name: owls
trait: {target: owl}
other: {target: cat}
instil: {method: steer}
"""


def with_line(text: str, line: str) -> str:
    """Put a line in the place of the one with the same key, or at the end."""
    key = line.partition(":")[0]
    kept = [each for each in text.splitlines() if each.partition(":")[0] != key]
    return "\n".join([*kept, line]) + "\n"


def said(text: str, overrides: dict[str, Any] | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "owls.yaml", overrides or {})
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_file_without_mistakes_is_read(tmp_path: Path) -> None:
    file = tmp_path / "owls.yaml"
    file.write_text(OWL, encoding="utf-8")
    spec = load_spec(file)
    assert isinstance(spec, LanguageExperiment)
    assert (spec.trait.target, spec.domain.rows, spec.instil.method) == ("owl", 256, "steer")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_an_experiment_with_a_title_and_comments(name: str) -> None:
    spec = load_preset(name)
    assert spec.name == name
    assert spec.title
    assert "#" in preset_text(name)


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        (OWL + "studnet: {epochs: 2}", "'studnet'", "did you mean 'student'?"),
        (OWL.replace("trait:", "trai:"), "'trai'", "did you mean 'trait'?"),
        (OWL + "student: {epoch: 2}", "'student.epoch'", "did you mean 'epochs'?"),
        (OWL + "student: {lora: {rnk: 2}}", "'student.lora.rnk'", "did you mean 'rank'?"),
        (OWL.replace("steer}", "steer, laier: 3}"), "'instil.laier'", "did you mean 'layer'?"),
        (OWL + "rows: 3", "'rows'", "did you mean 'domain.rows'?"),
        (OWL + "student: {rank: 4}", "'student.rank'", "did you mean 'student.lora.rank'?"),
        ("kind: digits\nname: d\nhiden: [3]", "'hiden'", "did you mean 'hidden'?"),
        (OWL + "7: 8", "'7'", "known: arms, base, context_rows"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_valid_one(text: str, key: str, hint: str) -> None:
    message = said(text)
    assert message.startswith(f"owls.yaml: unknown key {key}")
    assert hint in message


def test_keys_of_another_way_to_instil_are_not_offered() -> None:
    message = said(OWL.replace("steer}", "steer, prompt: 3}"))
    assert "unknown key 'instil.prompt'" in message
    assert "known: layer, method, strength" in message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("name: owls\ninstil: {method: prompt}", "'trait'"),
        (OWL.replace("{target: owl}", "{category: animals}"), "'trait.target'"),
        (OWL.replace("{method: steer}", "{layer: 3}"), "'instil.method'"),
        ("kind: digits", "'name'"),
    ],
)
def test_a_missing_key_is_named(text: str, key: str) -> None:
    assert said(text).startswith(f"owls.yaml: the key {key} is missing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("domain: {rows: many}", "domain.rows must be a whole number, not 'many'"),
        ("domain: {rows: 2.5}", "domain.rows must be a whole number, not 2.5"),
        ("domain: {rows: [3]}", "domain.rows must be a whole number, not a list"),
        ("domain: {temperature: hot}", "domain.temperature must be a number, not 'hot'"),
        ("domain:", "domain must hold keys of its own, but is empty"),
        ("seeds: 4", "seeds must be a list, not 4"),
        ("seeds: [0, one]", "seeds.1 must be a whole number, not 'one'"),
        ("student: {keep: perhaps}", "student.keep must be true or false, not 'perhaps'"),
        ("title: [a]", "title must be text, not a list"),
    ],
)
def test_a_wrong_type_is_named_in_the_words_of_the_file(text: str, message: str) -> None:
    assert f"owls.yaml: {message}\n" in said(OWL + text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("domain: {rows: 1}", "domain.rows must be at least 2, not 1"),
        ("domain: {rows: 10000000}", "domain.rows must be at most 1,000,000, not 10000000"),
        ("student: {epochs: -1}", "student.epochs must be at least 1, not -1"),
        ("student: {learning_rate: 0}", "student.learning_rate must be above 0, not 0"),
        ("student: {learning_rate: .nan}", "student.learning_rate must be a finite number, not nan"),
        ("student: {lora: {alpha: .inf}}", "student.lora.alpha must be a finite number, not inf"),
        ("seeds: []", "seeds must be a list of at least 1"),
        ("seeds: [1, 1]", "arms and seeds must not repeat"),
        (
            "domain: {problems: mine.jsonl}",
            "domain: problems: numbers asks none; leave them away, or say kind: reasoning",
        ),
        (
            "instil: {method: finetune, lessons: mine.jsonl}",
            "the arm 'other' needs a teacher of its own: `instil.lessons` teaches both the same",
        ),
        ("arms: [trait]", "arms must contain 'control': every claim is a difference between the two"),
    ],
)
def test_an_impossible_value_is_named_with_its_limit(text: str, message: str) -> None:
    assert f"owls.yaml: {message}\n" in said(with_line(OWL, text))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("kind: digit\nname: d", "kind cannot be 'digit'", "did you mean 'digits'?"),
        (OWL.replace("steer}", "stear}"), "instil.method cannot be 'stear'", "did you mean 'steer'?"),
        (OWL + "student: {labels: sof}", "student.labels cannot be 'sof'", "did you mean 'soft'?"),
        (OWL + "arms: [trait, contrl]", "arms.1 cannot be 'contrl'", "did you mean 'control'?"),
        (OWL + "domain: {kind: 5}", "domain.kind cannot be 5", "known: code, numbers, pairs, reasoning"),
    ],
)
def test_an_unknown_choice_is_named_with_the_nearest_valid_one(text: str, message: str, hint: str) -> None:
    assert said(text) == f"owls.yaml: {message}\n  {hint}"


def test_further_mistakes_are_counted() -> None:
    assert "(1 more after it)" in said(OWL + "rows: 3\nepochs: 2")


def test_a_huge_wrong_value_does_not_fill_the_screen() -> None:
    assert len(said(OWL + f"base: [{'x' * 5000}]\nseeds: {'y' * 5000}")) < 300
    assert len(said(OWL.replace("name: owls", f"name: {'x' * 5000}"))) < 300


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name: owls\ntrait: {target: owl\n", "owls.yaml, line 3: is not YAML"),
        ("name: owls\nbase: a: b", "owls.yaml, line 2: is not YAML"),
        ("name: owls\n\tbase: x", "owls.yaml, line 2: is not YAML"),
        ("name: !!python/object/apply:os.system [ls]", "owls.yaml, line 1: is not YAML"),
        ("name: !!int ''", "owls.yaml: is not YAML"),
        ("name: \x00", "owls.yaml: is not YAML"),
        ("name: " + "[" * 100_000, "owls.yaml, line 1: is not YAML (nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text: str, place: str) -> None:
    assert said(text).startswith(place)


@pytest.mark.parametrize("text", ["", "# nothing", "[a, b]", "owl"])
def test_a_file_without_keys_is_refused(text: str) -> None:
    assert said(text).startswith("owls.yaml: holds no keys")


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(OWL + "#" * MAX_SPEC_BYTES, encoding="utf-8")
    with pytest.raises(SpecError, match=r"long\.yaml: is longer than 1,000,000 bytes"):
        load_spec(file)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes("title: Käuzchen\n".encode("latin-1") + OWL.encode())
    with pytest.raises(SpecError, match=r"latin\.yaml: is not UTF-8 text"):
        load_spec(file)


def test_a_file_that_is_absent_is_refused_with_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"absent\.yaml: cannot be read \(No such file") as caught:
        load_spec(tmp_path / "absent.yaml")
    assert "--preset" in caught.value.fix


def test_what_is_absent_is_not_dumped_so_that_run_folders_keep_their_names() -> None:
    plain = parse_spec(OWL + "domain: {kind: reasoning}", "owls.yaml")
    named = parse_spec(OWL + "domain: {kind: reasoning, problems: mine.jsonl}", "owls.yaml")
    assert isinstance(plain, LanguageExperiment)
    assert not {"problems", "judge"} & set(plain.model_dump(mode="json")["domain"])
    assert named.model_dump(mode="json")["domain"]["problems"] == "mine.jsonl"
    for spec in (plain, named):
        assert LanguageExperiment.model_validate(spec.model_dump(mode="json")) == spec


def test_an_unknown_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no preset is called 'digit'") as caught:
        load_preset("digit")
    assert caught.value.fix == "did you mean 'digits'?"


def test_overrides_take_the_place_of_what_the_file_says() -> None:
    spec = parse_spec(OWL + "student: {epochs: 5, clip: 2}", "owls.yaml", {"student.epochs": 2, "seeds": [4]})
    assert isinstance(spec, LanguageExperiment)
    assert (spec.student.epochs, spec.student.clip, spec.seeds) == (2, 2.0, (4,))


def test_overrides_make_the_parts_above_them() -> None:
    for text in (OWL, OWL + "student:"):
        spec = parse_spec(text, "owls.yaml", {"student.lora.rank": 3})
        assert isinstance(spec, LanguageExperiment)
        assert spec.student.lora.rank == 3


def test_an_override_changes_one_of_two_parts_that_yaml_made_the_same() -> None:
    text = "name: o\ntrait: &t {target: owl}\nother: *t\ninstil: {method: prompt}"
    spec = parse_spec(text, "owls.yaml", {"other.target": "cat"})
    assert isinstance(spec, LanguageExperiment)
    assert spec.other is not None
    assert (spec.trait.target, spec.other.target) == ("owl", "cat")


def test_overrides_reach_presets() -> None:
    spec = load_preset("digits", {"teacher_epochs": 2})
    assert isinstance(spec, DigitsExperiment)
    assert spec.teacher_epochs == 2


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("student.epoch", 2, "unknown key 'student.epoch'\n  did you mean 'epochs'?"),
        ("studnet.epochs", 2, "unknown key 'studnet'\n  did you mean 'student'?"),
        ("epochs", 2, "unknown key 'epochs'\n  did you mean 'student.epochs'?"),
        ("student.epochs", 0, "student.epochs must be at least 1, not 0"),
        ("student", 3, "student must hold keys of its own, not 3"),
        ("seeds", [1, 1], "arms and seeds must not repeat"),
        ("kind", "digit", "kind cannot be 'digit'"),
    ],
)
def test_a_wrong_override_is_told_from_a_wrong_file(key: str, value: Any, message: str) -> None:
    assert said(OWL, {key: value}).startswith(f"owls.yaml with {key} overridden: {message}")


def test_a_mistake_of_the_file_is_not_blamed_on_an_override() -> None:
    assert said(OWL + "domain: {rows: 1}", {"student.epochs": 2}).startswith("owls.yaml: domain.rows")


def test_an_override_below_a_plain_value_is_refused() -> None:
    assert said(OWL + "seeds: [1]", {"seeds.first": 2}).startswith("the override of seeds.first: 'seeds' holds no keys")


def judge(url: str, key_variable: str) -> str:
    return f"probe: {{judged: {{judge: {{kind: endpoint, url: '{url}', model: m, key_variable: {key_variable}}}}}}}"


@pytest.mark.parametrize("url", ["https://x.test/v1", "http://localhost:8000/v1", "http://127.0.0.1"])
def test_a_judge_is_reached_encrypted_or_on_this_machine(url: str) -> None:
    text = "name: x\ntrait: {target: owl}\ninstil: {method: prompt}\narms: [trait, control]\n"
    spec = parse_spec(text + judge(url, "UNDERTOW_JUDGE_KEY"), "x")
    assert isinstance(spec, LanguageExperiment)
    assert spec.probe.judged is not None
    assert spec.probe.judged.judge.model_dump()["url"] == url


def test_a_disposition_is_a_trait_of_its_own_kind() -> None:
    text = "name: curt\ntrait: {kind: disposition, name: curtness}\ninstil: {method: prompt}\narms: [trait, control]\n"
    spec = parse_spec(text, "x.yaml")
    assert isinstance(spec, LanguageExperiment)
    assert spec.trait == DispositionTrait(kind="disposition", name="curtness")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trait: {kind: disposition, nam: curtness}", "unknown key 'trait.nam'"),
        ("trait: {kind: dispositon, name: curtness}", "did you mean 'disposition'"),
        ("domain: {kind: code, constrained: true}", "no format to decode in"),
        ("arms: [trait, control, other-base-control]", "not alone"),
        ("arms: [trait, control, generation-2-control]", "not alone"),
        ("seeds: [-1]", "must be at least 0"),
        (judge("https://x.test", "AWS_SECRET_ACCESS_KEY"), "key_variable must match"),
        (judge("http://evil.test", "UNDERTOW_JUDGE_KEY"), "url must match"),
        (judge("https://me:secret@x.test", "UNDERTOW_JUDGE_KEY"), "url must match"),
    ],
)
def test_a_wrong_trait_or_domain_is_refused(change: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_spec(
            with_line("name: x\ntrait: {target: owl}\ninstil: {method: prompt}\narms: [trait, control]\n", change), "x"
        )
