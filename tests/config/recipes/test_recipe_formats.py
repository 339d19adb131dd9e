"""What holds of every format: each key is accounted for once, and nothing but Undertow's errors escapes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import fake_plugin
from undertow.config.recipes.format import Format, known
from undertow.config.recipes.formats import FORMATS
from undertow.config.recipes.found import RecipeFile
from undertow.config.recipes.keys import Found, Keys
from undertow.config.recipes.load import load_recipe, recipe_presets
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.config.recipes.steps import steps_for, warmup_for
from undertow.errors import InputError, SpecError, UndertowError
from undertow.training.recipe import Recipe, rate_at, recipe_from, steps_of

NAMES = FORMATS.own_names()
KINDS: list[Format] = [FORMATS.get(name) for name in NAMES]
STARTS = {
    "trl": {"use_peft": True},
    "axolotl": {"base_model": "a", "learning_rate": 1e-4, "adapter": "lora", "lora_r": 8, "lora_alpha": 8},
    "llama-factory": {"stage": "sft", "template": "a"},
    "openai": {"training_file": "file-1"},
    "undertow": {"epochs": 2, "adapter": {"rank": 4}},
}
"""The least file of each format."""


def fields_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    return {prefix + name for name in model.model_fields}


@pytest.mark.parametrize("form", KINDS, ids=NAMES)
def test_a_key_stands_in_one_table(form: Format) -> None:
    assert len(known(form)) == len(set(known(form)))
    stars = [each[:-1] for each in form.harmless if each.endswith("*")]
    plain = [each for each in form.harmless if not each.endswith("*")]
    # What a star stands for is looked up last, so the two other tables come before it.
    assert [each for each in plain if any(each.startswith(star) for star in stars)] == []
    assert set(form.marks) <= set(known(form)) | {"peft.r", "peft.peft_type"}


@pytest.mark.parametrize("form", KINDS, ids=NAMES)
def test_taken_keys_set_fields_that_there_are(form: Format) -> None:
    there = fields_of(RecipeSpec) | fields_of(AdapterSpec, "adapter.")
    for sets in form.taken.values():
        assert set(sets.split(", ")) <= there


def test_no_key_is_the_mark_of_two_formats() -> None:
    for form in KINDS:
        for other in KINDS:
            if other is not form:
                assert not set(form.marks) & set(known(other)), (form.name, other.name)


@pytest.mark.parametrize("form", KINDS, ids=NAMES)
def test_a_reader_asks_for_every_key_that_its_table_takes(form: Format) -> None:
    asked: set[str] = set()
    for start in (
        STARTS[form.name],
        {**STARTS[form.name], "peft.r": 4},
        {**dict.fromkeys(form.taken), **STARTS[form.name]},
    ):
        flat = {each: Found(each, value, "here", None) for each, value in start.items()}
        keys = Keys(flat, "here")
        form.read(keys)
        asked |= keys.read
    assert set(form.taken) <= asked


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.floats(-1, 8, allow_nan=False),
    st.sampled_from(
        [
            "",
            "auto",
            "cosine",
            "linear",
            "constant",
            "adamw_torch",
            "sgd",
            "lora",
            "qlora",
            "full",
            "all",
            "2e-4",
            "1e400",
            "x" * 90,
        ]
    ),
    st.lists(st.sampled_from(["q_proj", "v_proj", 3]), max_size=2),
    st.dictionaries(st.sampled_from(["r", "n_epochs", "min_lr", "type", "seed"]), st.integers(0, 4), max_size=2),
)


def read_or_refused(text: str) -> RecipeFile | UndertowError:
    try:
        return load_recipe(text)
    except UndertowError as error:
        return error


@given(st.sampled_from(KINDS), st.data())
def test_every_key_is_accounted_for_once(form: Format, data: st.DataObject) -> None:
    names = st.sampled_from([each for each in known(form) if "." not in each])
    drawn: dict[str, Any] = {**data.draw(st.dictionaries(names, VALUES, max_size=6)), **STARTS[form.name]}
    odd = data.draw(st.dictionaries(st.sampled_from(["colour", "lerning_rate", "7", ""]), VALUES, max_size=2))
    text = json.dumps(drawn | odd) if data.draw(st.booleans()) else yaml.safe_dump(drawn | odd)
    found = read_or_refused(text)
    if isinstance(found, UndertowError):
        assert isinstance(found, SpecError)
        assert found.where
        return
    every = [*found.taken, *found.harmless, *found.not_modelled, *found.unknown]
    listed = [key.name for key in every]
    assert len(listed) == len(set(listed))
    assert {name.split(".")[0] for name in listed} == set(drawn | odd) or "." in "".join(odd)
    assert {key.name for key in found.unknown} >= set(odd) - set(drawn)
    assert found.kind == form.name
    assert load_recipe(text) == found
    for line in found.told():
        line.encode("utf-8", "replace")


@given(st.binary(max_size=300))
def test_nothing_but_errors_of_undertow_escapes(data: bytes) -> None:
    assert str(read_or_refused(data.decode("utf-8", "replace") + "\n"))


@given(
    st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )
)
def test_values_of_any_shape_are_read_or_refused(value: Any) -> None:
    for name in ("learning_rate", "lora_r", "datasets", "adapter", "peft_config", "lr_scheduler_kwargs", "method"):
        for start in STARTS.values():
            found = read_or_refused(json.dumps({**start, name: value}))
            assert found.where if isinstance(found, UndertowError) else found.kind in NAMES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour: red\n", "colour"),
        ("learning_rate: 1e-4\nseed: 3\n", "no trainer"),
        ("base_model: a\nlora_rank: 3\n", "Axolotl (base_model) and LLaMA-Factory (lora_rank)"),
        ("- a\n- b\n", "holds no keys"),
        ("\n", "holds no keys"),
        ("a: [\n", "is not YAML"),
        ('{"max_length": 8, "max_length": 9}', "twice"),
        ('{"max_length": NaN}', "NaN"),
        ("max_length: 8\nseed: 0100\n", "0100"),
    ],
)
def test_a_file_of_no_or_of_two_formats_is_refused_by_its_keys(text: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        load_recipe(text)
    assert said in str(error.value)


def test_unknown_keys_name_the_nearest_and_hide_secrets() -> None:
    found = load_recipe("max_length: 8\nlerning_rate: 3\nmy_api_key: sk-1\n")
    assert [(key.name, key.says) for key in found.unknown] == [
        ("lerning_rate", "did you mean 'learning_rate'?"),
        ("my_api_key", ""),
    ]
    assert "sk-1" not in "".join(found.told())


def test_own_recipes_refuse_unknown_keys_and_contradictions() -> None:
    for text, said in (
        ("epochs: 3\nlerning_rate: 1\n", "did you mean 'learning_rate'?"),
        ("batch: 6\nmicro_batch: 4\n", "micro_batch = 4 and batch = 6"),
        ("batch: 6\nwarmup_steps: 4\nwarmup_ratio: 0.1\n", "warmup_steps = 4 and warmup_ratio = 0.1"),
        ("batch: 6\nadapter: {dora: true, bits: 4}\n", "adapter.dora = true and adapter.bits = 4"),
        ("batch: 6\npacking: true\n", "packing = true needs most_tokens"),
        ("batch: 6\nbetas: [0.9, 1]\n", "betas"),
        ("batch: true\n", "batch must not be true"),
        ("batch: 6\nadapter: {rank: 0}\n", "adapter.rank"),
    ):
        with pytest.raises(SpecError) as error:
            load_recipe(text)
        assert said in str(error.value)
        assert "line" in str(error.value)
    assert load_recipe("batch: 6\nadapter: {}\n").spec.adapter == AdapterSpec()
    assert load_recipe("batch: 6\nadapter: null\nlearning_rate: '2e-4'\n").spec.adapter is None


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 5), st.one_of(st.none(), st.integers(1, 60)))
def test_steps_are_those_of_training(rows: int, batch: int, epochs: int, most: int | None) -> None:
    spec = RecipeSpec(batch=batch, epochs=epochs)
    recipe = Recipe("hard", 0.1, epochs, batch, batch, 0, 0.0, 1.0, 1e-8)
    assert steps_for(spec, rows) == steps_of(rows, recipe)
    assert steps_for(spec.model_copy(update={"most_steps": most}), rows) == (most or steps_of(rows, recipe))
    assert 1 <= steps_for(spec.model_copy(update={"epochs": epochs / 10}), rows) <= steps_for(spec, rows)


@settings(deadline=None)  # the first example imports transformers
@given(st.integers(1, 400), st.one_of(st.integers(1, 90), st.floats(0, 0.999)))
def test_a_warmup_is_as_long_as_that_of_transformers(steps: int, warmup: float) -> None:
    from transformers import TrainingArguments

    said = {"warmup_steps": warmup} if isinstance(warmup, int) else {"warmup_ratio": warmup}
    theirs = TrainingArguments.get_warmup_steps(type("Given", (), {"warmup_steps": warmup})(), steps)  # type: ignore[arg-type]
    assert warmup_for(RecipeSpec().model_copy(update=said), steps) == theirs


def test_parts_of_an_epoch_are_rounded_up_as_they_are_stored() -> None:
    assert steps_for(RecipeSpec(epochs=0.7, batch=1), 10) == 7
    assert 0.55 * 100 > 55
    assert steps_for(RecipeSpec(epochs=0.55, batch=1), 100) == 56


def test_presets_are_what_they_say() -> None:
    assert recipe_presets() == ["full-sft", "lora-sft", "plain-sgd", "qlora-sft"]
    for name in recipe_presets():
        found = load_recipe(name)
        assert (found.spec.name, found.kind, found.path) == (name, "undertow", name)
        assert not found.told()
    lora = load_recipe("lora-sft").spec
    assert lora.adapter == AdapterSpec(rank=16, alpha=32)
    assert load_recipe("qlora-sft").spec.adapter == AdapterSpec(rank=16, alpha=32, bits=4)
    assert load_recipe("full-sft").spec.adapter is None
    assert (lora.learning_rate, lora.epochs, lora.batch, lora.schedule) == (2e-4, 3, 16, "cosine")


def test_plain_sgd_is_the_recipe_of_a_scan() -> None:
    from undertow.attribution.recipe import PLAIN

    spec = load_recipe("plain-sgd").spec
    assert (spec.optimiser, spec.learning_rate, spec.batch, spec.epochs) == (
        PLAIN.optimiser,
        PLAIN.learning_rate,
        PLAIN.batch,
        PLAIN.epochs,
    )
    assert (spec.warmup_steps, spec.weight_decay, spec.schedule) == (PLAIN.warmup, PLAIN.weight_decay, "ramp")
    assert spec.clip is None
    assert PLAIN.clip is not None
    assert PLAIN.clip >= 1e9
    obeyed = recipe_from(spec, autocast=False)
    for steps in (1, 2, 3, 8, 60):
        rates = [[rate_at(step, steps, recipe) for step in range(steps)] for recipe in (obeyed, PLAIN)]
        assert rates[0] == rates[1]


def test_files_that_are_none(tmp_path: Path) -> None:
    for named, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "nowhere.yml", "neither a file nor a preset"),
        ("lora-stf", "did you mean 'lora-sft'?"),
        ("a\0b", "neither a file nor a preset"),
    ):
        with pytest.raises(InputError) as error:
            load_recipe(named)
        assert said in str(error.value)
    with pytest.raises(InputError, match="at least 1"):
        load_recipe("lora-sft", devices=0)


def test_another_package_adds_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shoal_recipes.py").write_text(
        "from undertow.config.recipes.format import Format\n"
        "FORMAT = Format('shoal', 'Shoal', 'a test', {'shoal_rate': 'learning_rate'}, {}, (), ('shoal_rate',),\n"
        "                lambda keys: {'learning_rate': keys.number('shoal_rate', 1)})\n",
        "utf-8",
    )
    fake_plugin.install(tmp_path, "shoal", "1.0", {"undertow.recipes": {"shoal": "shoal_recipes:FORMAT"}})
    monkeypatch.syspath_prepend(str(tmp_path))
    from undertow.system import registry

    registry._entry_points.cache_clear()
    try:
        found = load_recipe("shoal_rate: 0.5\n")
        assert (found.kind, found.spec.learning_rate) == ("shoal", 0.5)
    finally:
        registry._entry_points.cache_clear()
