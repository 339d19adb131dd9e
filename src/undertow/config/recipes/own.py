"""Undertow's own recipes, as YAML or JSON: the fields of `RecipeSpec`, each with its default. Unknown keys are refused.

learning_rate: 2e-4
adapter: {rank: 16, alpha: 32}
"""

from __future__ import annotations

from typing import Any, Final

from undertow.config.recipes.format import Format
from undertow.config.recipes.keys import Keys
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec

_FLAGS: Final = ("packing", "adapter.dora", "adapter.rank_stabilised")


def read(keys: Keys) -> dict[str, Any]:
    """Return the fields of a recipe."""
    fields: dict[str, Any] = {}
    adapter: dict[str, Any] = {}
    for name in keys.found:
        if name not in FORMAT.taken:
            continue
        value = keys.get(name)
        if isinstance(value, bool) and name not in _FLAGS:
            keys.refuse(name, f"must not be {str(value).lower()}")
        if name.startswith("adapter."):
            adapter[name.removeprefix("adapter.")] = value
        else:
            fields[name] = value
    if adapter:
        fields["adapter"] = adapter
    if keys.get("warmup_steps") and keys.get("warmup_ratio"):
        keys.clash("warmup_steps", "warmup_ratio", "both say how long the warm-up is", "Take one of them away.")
    rows, micro = fields.get("batch", RecipeSpec().batch), fields.get("micro_batch")
    if isinstance(rows, int) and isinstance(micro, int) and micro > 0 and rows % micro:
        keys.clash("micro_batch", "batch", "the second must be a multiple of the first", "Change one.")
    if fields.get("most_steps") is not None and "epochs" in fields:
        keys.note(f"most_steps = {fields['most_steps']} takes the place of epochs = {fields['epochs']}.")
    return fields


FORMAT: Final = Format(
    name="undertow",
    title="Undertow",
    source="`RecipeSpec`",
    taken={
        **{name: name for name in RecipeSpec.model_fields},
        **{f"adapter.{name}": f"adapter.{name}" for name in AdapterSpec.model_fields},
    },
    not_modelled={},
    harmless=(),
    marks=(
        *("optimiser", "batch", "micro_batch", "epochs", "most_steps", "most_tokens", "clip", "lowest_rate"),
        *("schedule", "betas", "loss", *(f"adapter.{name}" for name in AdapterSpec.model_fields)),
    ),
    read=read,
    sections={"adapter": "adapter."},
    strict=True,
)
