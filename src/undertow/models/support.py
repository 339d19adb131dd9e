"""Which models the fast pass can compute, by what their config says.

What a short prompt cannot show is refused here; the rest is measured, see `verify`.
"""

from __future__ import annotations

from typing import Any

from undertow.errors import ModelError
from undertow.models.layers import SUPPORTED

_BY_LENGTH = ("dynamic", "longrope")
"""Rotary positions whose frequencies depend on the length of the text: sequences of a pack would share one."""


class UnsupportedModelError(ModelError):
    """The model is sound, but nothing here computes it as `transformers` does."""


def refuse_unsupported(config: Any, name: str) -> None:
    """See that a model's config asks for nothing that the fast pass does not do.

    Raises:
        UnsupportedModelError: it does.
    """
    if config.model_type not in SUPPORTED:
        raise UnsupportedModelError(
            f"the architecture {config.model_type!r} is not supported",
            fix="Use a model of one of these: " + ", ".join(SUPPORTED) + ".",
        )
    where = f"{name}, config.json"
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or []
    # Mistral lists no kinds of layers: its window holds in all of them.
    if window is not None and window < config.max_position_embeddings and (not kinds or "sliding_attention" in kinds):
        raise UnsupportedModelError(
            f"sliding_window: {window} is not supported: tokens further back than that are not seen",
            where,
            f"In a copy, set sliding_window to null and max_position_embeddings to {window}: the model is the same up "
            "to that length, and longer rows are counted and left out.",
        )
    if (kind := rope_kind(config)) in _BY_LENGTH:
        raise UnsupportedModelError(
            f"rotary positions of the type {kind!r} are not supported: they depend on the length of a text",
            where,
            "Use a model whose rope_scaling is linear, llama3, yarn or absent.",
        )


def rope_kind(config: Any) -> str:
    """Return the type of a model's rotary positions."""
    for field in ("rope_parameters", "rope_scaling"):
        if isinstance(found := getattr(config, field, None), dict):
            return str(found.get("rope_type", found.get("type", "default")))
    return "default"


def unusual(config: Any) -> list[str]:
    """Name the settings of a config that may be why a model is computed otherwise, likeliest first."""
    usual = {
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "logit_scale": 1.0,
        "logits_scaling": 1.0,
        "residual_multiplier": 1.0,
        "embedding_multiplier": 1.0,
        "attention_multiplier": None,
        "partial_rotary_factor": 1.0,
        "hidden_act": "silu",
        "attention_sinks": None,
        "attention_bias": False,
        "mlp_bias": False,
    }
    parameters = getattr(config, "rope_parameters", None)
    known = {**vars(config), **({} if not isinstance(parameters, dict) else parameters)}
    found = [f"{key}: {known[key]}" for key, plain in usual.items() if known.get(key, plain) not in (plain, None)]
    heads = config.hidden_size / config.num_attention_heads
    if (size := getattr(config, "head_dim", None)) not in (None, heads):
        found.append(f"head_dim: {size}")
    if (kind := rope_kind(config)) != "default":
        found.append(f"rope_type: {kind}")
    return found
