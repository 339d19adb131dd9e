"""A fine-tuning job of OpenAI's API as JSON: the request, or the job as the API returns it.

Names are those of the API's reference (`POST /v1/fine_tuning/jobs`): `hyperparameters`, and since 2025
`method.supervised.hyperparameters`, each with `n_epochs`, `batch_size` and `learning_rate_multiplier`, which may be
"auto". OpenAI has published neither the optimiser, nor the rate that is multiplied, nor what is trained.
"""

from __future__ import annotations

from typing import Any, Final

from undertow.config.recipes.format import Format
from undertow.config.recipes.keys import Keys

_OLD: Final = "hyperparameters"
_NEW: Final = "method.supervised.hyperparameters"
_PARTS: Final = {"n_epochs": "epochs", "batch_size": "batch", "learning_rate_multiplier": "learning_rate"}


def read(keys: Keys) -> dict[str, Any]:
    """Return the fields of a recipe."""
    fields: dict[str, Any] = {"schedule": "cosine", "adapter": {}}
    kind = keys.text("method.type", "supervised")
    if kind != "supervised":
        keys.instead("method.type", "answers are trained on in its place")
    for part, target in _PARTS.items():
        names = [name for name in (f"{_NEW}.{part}", f"{_OLD}.{part}") if keys.has(name)]
        known = [name for name in names if keys.get(name) != "auto"]
        for name in names:
            if name not in known:
                keys.instead(name, "chosen by OpenAI when the job runs")
        if len(known) == 2 and keys.number(known[0], 0) != keys.number(known[1], 0):
            keys.clash(known[0], known[1], "they are the same setting", "Take one of them away.")
        for name in known:
            if part == "learning_rate_multiplier":
                keys.number(name, 1.0)
                keys.instead(name, "the rate that it multiplies is not published")
            else:
                fields[target] = keys.whole(name, 1) if part == "batch_size" else keys.number(name, 1)
    if keys.has("seed"):
        fields["seed"] = keys.whole("seed", 42)
    missing = [what for what in ("epochs", "batch") if what not in fields]
    filled = f" So do its {' and '.join(missing)}, which the job leaves open." if missing else ""
    keys.note(
        "OpenAI publishes neither its optimiser, nor its learning rate, nor what it trains: the preset lora-sft stands "
        f"in.{filled}"
    )
    return fields


FORMAT: Final = Format(
    name="openai",
    title="OpenAI fine-tuning job",
    source="the reference of OpenAI's API (`/v1/fine_tuning/jobs`), as in 2026",
    taken={
        **{f"{where}.{part}": target for where in (_OLD, _NEW) for part, target in _PARTS.items()},
        "method.type": "loss",
        "seed": "seed",
    },
    not_modelled={
        **{f"method.dpo.hyperparameters.{part}": () for part in (*_PARTS, "beta")},
        "method.dpo": (),
        "method.reinforcement": (),
    },
    harmless=(
        *("object", "id", "model", "created_at", "finished_at", "estimated_finish", "fine_tuned_model"),
        *("organization_id", "result_files", "status", "validation_file", "training_file", "suffix", "error"),
        *("integrations", "metadata", "trained_tokens", "user_provided_suffix", "usage_metrics", "shared_with_openai"),
        *("eval_id",),
    ),
    marks=("training_file", "fine_tuned_model", *(f"{where}.{part}" for where in (_OLD, _NEW) for part in _PARTS)),
    read=read,
    sections={
        name: f"{name}."
        for name in (_OLD, "method", "method.supervised", _NEW, "method.dpo", "method.dpo.hyperparameters")
    },
)
