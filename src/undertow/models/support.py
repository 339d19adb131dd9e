"""Which models can be computed at all, by what their config says, before their weights are read.

How a model is computed is measured, see `verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from undertow.errors import ModelError

_BY_LENGTH: Final = ("dynamic", "longrope")
"""Rotary positions whose frequencies depend on the length of the text, once it is longer than in training."""


class UnsupportedModelError(ModelError):
    """The model is sound, but nothing here computes it as `transformers` does."""


def refuse_unsupported(config: Any, name: str) -> None:
    """See that a config is a decoder-only language model's, of an architecture that `transformers` knows itself.

    Raises:
        UnsupportedModelError: it is not.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise UnsupportedModelError(
            f"the architecture {kind!r} has an encoder and a decoder",
            f"{name}, config.json",
            "Name a decoder-only language model.",
        )
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise UnsupportedModelError(
            f"the architecture {kind!r} does not predict next tokens in transformers",
            f"{name}, config.json",
            "Name a decoder-only language model.",
        )


def longest_text(config: Any) -> int | None:
    """Return the number of tokens that a text config's model reads at once, if it says so.

    Where rotary positions change with the length of the text, it is the length up to which they do not: beyond it, a
    token's numbers would depend on the texts beside it.
    """
    longest = getattr(config, "max_position_embeddings", None)
    for parameters in _rope_parameters(config):
        if _kind(parameters) in _BY_LENGTH:
            original = parameters.get("original_max_position_embeddings")
            original = original or getattr(config, "original_max_position_embeddings", None)
            longest = min(each for each in (longest, original) if each is not None)
    return None if longest is None else int(longest)


def rope_kind(config: Any) -> str:
    """Return the type of a model's rotary positions; of several, the first that is not plain."""
    kinds = [_kind(parameters) for parameters in _rope_parameters(config)]
    return next((kind for kind in kinds if kind != "default"), "default")


def _rope_parameters(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the settings of rotary positions: one, or one for each kind of layer."""
    for field in ("rope_parameters", "rope_scaling"):
        if isinstance(found := getattr(config, field, None), dict):
            nested = [each for each in found.values() if isinstance(each, dict)]
            yield from nested or [found]
            return


def _kind(parameters: dict[str, Any]) -> str:
    return str(parameters.get("rope_type", parameters.get("type", "default")))


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
    heads = getattr(config, "num_attention_heads", None)
    # Where layers differ in it, to ask is an error.
    size = None if getattr(config, "is_heterogeneous", False) else getattr(config, "head_dim", None)
    if heads and size not in (None, config.hidden_size / heads):
        found.append(f"head_dim: {size}")
    if (kind := rope_kind(config)) != "default":
        found.append(f"rope_type: {kind}")
    return found
