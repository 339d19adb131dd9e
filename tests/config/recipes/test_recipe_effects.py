"""A key that a table takes sets the fields that the table says, all of them, and no other."""

import json
from typing import Any

import pytest

from undertow.config.recipes.formats import FORMATS
from undertow.config.recipes.load import load_recipe
from undertow.config.recipes.spec import RecipeSpec
from undertow.errors import SpecError

TRAINER = {"lr_scheduler_type": "cosine_with_min_lr", "optim": "sgd", "learning_rate": 0.01}
STARTS: dict[str, dict[str, Any]] = {
    "trl": {"max_length": 64, **TRAINER},
    "axolotl": {
        "base_model": "a",
        "lr_scheduler": "cosine_with_min_lr",
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "adapter": "lora",
        "lora_r": 8,
        "lora_alpha": 8,
        "micro_batch_size": 1,
        "lora_target_modules": ["o_proj"],
    },
    "llama-factory": {"template": "a", **TRAINER},
    "openai": {"training_file": "a"},
    "undertow": {"batch": 6},
}
PEFT = {"peft_type": "LORA"}
VALUES: tuple[Any, ...] = (
    *(
        0.25,
        0.01,
        1,
        2,
        3,
        4,
        12,
        True,
        False,
        "cosine",
        "sgd",
        "adamw",
        "linear",
        "full",
        "lora",
        "qlora",
        "pt",
        "whole",
        "sigmoid",
    ),
    *(
        "bfloat16",
        "float16",
        "float32",
        "momentum=0.5",
        "n",
        ["k_proj"],
        [1],
        {"min_lr_rate": 0.25},
        {"rank": 3},
        [0.5, 0.75],
        None,
    ),
    *([{"path": "a", "type": "completion"}], "text"),
)
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("trl", "max_seq_length"): {"max_length": None, "use_peft": False},
    ("trl", "disable_dropout"): {"loss_type": "sigmoid", "use_peft": True, "lora_dropout": 0.1},
    ("undertow", "beta"): {"loss": "dpo"},
    ("trl", "assistant_only_loss"): {"completion_only_loss": False},
    ("axolotl", "batch_size"): {"micro_batch_size": None},
    ("axolotl", "bfloat16"): {"bf16": False},
    ("undertow", "packing"): {"most_tokens": 64},
}
"""What must stand beside a key so that it can be seen; null takes a key away."""
UNSEEN = {
    "trl": {"dataset_text_field"},
    "openai": {
        "method.type",
        *(f"{where}.learning_rate_multiplier" for where in ("hyperparameters", "method.supervised.hyperparameters")),
    },
    "llama-factory": {"mask_history"},
}
"""Keys that are looked at and set nothing by themselves: they contradict others, or are listed."""


def differing(one: RecipeSpec, other: RecipeSpec) -> set[str]:
    found: set[str] = set()
    for name in RecipeSpec.model_fields:
        left, right = getattr(one, name), getattr(other, name)
        if left == right:
            continue
        if name == "adapter" and left is not None and right is not None:
            found |= {
                f"adapter.{each}" for each in type(left).model_fields if getattr(left, each) != getattr(right, each)
            }
        else:
            found.add(name)
    return found


def nested(name: str, value: Any) -> dict[str, Any]:
    """Return a file with a key, in the sections that lead to it."""
    if name.startswith("peft."):
        return {"peft_config": {**PEFT, name.removeprefix("peft."): value}}
    made = value
    for part in reversed(name.split(".")):
        made = {part: made}
    return made


def spec_of(values: dict[str, Any]) -> RecipeSpec | None:
    try:
        found = load_recipe(json.dumps(values))
    except SpecError:
        return None
    return found.spec


CASES = [(name, key) for name in FORMATS.own_names() for key in FORMATS.get(name).taken]


@pytest.mark.parametrize(("name", "key"), CASES, ids=[f"{name}-{key}" for name, key in CASES])
def test_a_key_sets_what_its_table_says(name: str, key: str) -> None:
    start = dict(STARTS[name])
    if key.startswith("peft."):
        start["peft_config"] = PEFT
    elif name == "trl" and (key.startswith(("lora_", "use_", "load_")) and key != "use_peft"):
        start["use_peft"] = True
    elif key.startswith("adapter."):
        start["adapter"] = {"alpha": 32}
    start = {each: value for each, value in {**start, **BESIDE.get((name, key), {})}.items() if value is not None}
    before = spec_of(start)
    assert before is not None
    reached: set[str] = set()
    for value in VALUES:
        change = nested(key, value)
        if key.startswith("adapter."):
            change = {"adapter": {**start["adapter"], **change["adapter"]}}
        after = spec_of({**start, **change})
        reached |= set() if after is None else differing(before, after)
    said = set(FORMATS.get(name).taken[key].split(", "))
    assert reached == (set() if key in UNSEEN.get(name, ()) else said)
