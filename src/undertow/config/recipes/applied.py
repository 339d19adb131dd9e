"""A recipe with settings of the user's in the place of some of its own.

It knows the names that an experiment file has for what a recipe holds, and no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.system.digest import digest_of

_OTHER_NAMES: Final = {"warmup": "warmup_steps"}
FIELDS: Final = (
    *("method", "lora", "learning_rate", "epochs", "batch", "micro_batch", "warmup", "weight_decay", "clip"),
    *("optimiser", "epsilon", "loss", "beta"),
)
"""Keys of a student that take the place of something in a recipe."""
_WITHOUT_EFFECT: Final = ("name", "seed")
"""Fields of a recipe that change nothing here: runs have seeds of their own."""


def with_settings(spec: RecipeSpec, given: Mapping[str, Any]) -> RecipeSpec:
    """Return a recipe with some settings of a student in the place of its own.

    Args:
        spec: The recipe.
        given: By the names that a student has for them, `FIELDS`; `lora` holds those of its keys that were given.

    Raises:
        ValueError: the two do not go together.
    """
    fields: dict[str, Any] = spec.model_dump()
    for name, value in given.items():
        if name in FIELDS and name not in ("method", "lora") and value is not None:
            fields[_OTHER_NAMES.get(name, name)] = value
    if "warmup" in given:
        fields["warmup_ratio"] = 0.0
    if "epochs" in given:
        fields["most_steps"] = None
    # The least common reason for a contradiction, and without effect on what is learned.
    if "micro_batch" not in given and fields["micro_batch"] and fields["batch"] % fields["micro_batch"]:
        fields["micro_batch"] = None
    method = given.get("method")
    if method == "full":
        if given.get("lora"):
            raise ValueError("lora: method: full trains no adapter; leave one of the two away")
        fields["adapter"] = None
    elif method == "lora" or given.get("lora"):
        if fields["adapter"] is None and method is None:
            raise ValueError("lora: the recipe trains all weights; say method: lora as well")
        fields["adapter"] = (fields["adapter"] or AdapterSpec().model_dump()) | dict(given.get("lora") or {})
    try:
        return RecipeSpec.model_validate(fields)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def recipe_digest(spec: RecipeSpec) -> str:
    """Return what stands for a recipe in the identities of steps: all that changes what is learned."""
    return digest_of(spec.model_dump(mode="json", exclude=set(_WITHOUT_EFFECT)))


def on_answers(spec: RecipeSpec) -> RecipeSpec:
    """Return a recipe with its loss on answers where it is on pairs: for verbs that read one answer of each pair."""
    if spec.loss != "dpo":
        return spec
    return RecipeSpec.model_validate(spec.model_dump(exclude={"beta"}) | {"loss": "answers"})


def in_words(spec: RecipeSpec) -> str:
    """Say in one line how a recipe trains."""
    adapter = spec.adapter
    if adapter is None:
        what = "all weights"
    else:
        kinds = ["DoRA" if adapter.dora else "LoRA"]
        kinds += ["rank-stabilised"] if adapter.rank_stabilised else []
        kinds += [f"{adapter.bits}-bit base"] if adapter.bits else []
        what = f"{', '.join(kinds)} (rank {adapter.rank}, alpha {adapter.alpha:g})"
    length = f"{spec.most_steps:,} steps" if spec.most_steps is not None else f"{spec.epochs:g} epochs"
    names = {"adamw": "AdamW", "sgd": "SGD"}
    unit = "packed sequences" if spec.packing else "rows"
    whole = {"whole": ", loss on whole rows", "dpo": f", DPO with beta {spec.beta:g}"}.get(spec.loss, "")
    return (
        f"{what}, {names[spec.optimiser]} at {spec.learning_rate:g}, {spec.schedule}, {length}, {spec.batch:,} {unit} "
        f"a step{whole}"
    )
