"""The parts of Llama-shaped decoders, as `fast` and `decode` put them together.

They are the modules of a `transformers` model, so that PEFT adapters, which replace modules, work unchanged. It knows
the layouts of Llama (SmolLM2, Mistral, Qwen2, Qwen3) and of Gemma 3 alone; `engine.network` reads any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.models.kinds import SLIDING, kinds_of, window_of, without_adapters

Steering = Mapping[int, Tensor]
"""Layer index to a vector (D) that is added to that layer's output at every position."""


def decoder(model: Any) -> Any:
    """Return the stack of layers inside a causal language model of this layout, with or without a PEFT wrapper."""
    return without_adapters(model).get_decoder()


def head_size(config: Any) -> int:
    """Return the width of an attention head; the largest, where layers differ in it (Gemma 4)."""
    layers = config.per_layer_config if getattr(config, "is_heterogeneous", False) else [config]
    return max(getattr(each, "head_dim", None) or each.hidden_size // each.num_attention_heads for each in layers)


def norms_of(layer: Any) -> tuple[Any, Any, Any, Any]:
    """Return the norms before and behind attention, then before and behind the feed-forward; None where there is none.

    Llama has the two before; Gemma 3 has all four (arXiv 2503.19786, section 2).
    """
    if hasattr(layer, "pre_feedforward_layernorm"):
        inner = (layer.post_attention_layernorm, layer.pre_feedforward_layernorm, layer.post_feedforward_layernorm)
        return layer.input_layernorm, *inner
    return layer.input_layernorm, None, layer.post_attention_layernorm, None


def is_plain(norm: Any) -> bool:
    """Whether a norm multiplies with its weights; Gemma multiplies with one more than they are."""
    return hasattr(norm, "variance_epsilon")


def normalise(x: Tensor, norm: Any) -> Tensor:
    """Apply a root-mean-square norm, in float32 (Zhang and Sennrich 2019, arXiv 1910.07467, eq. 4), if there is one."""
    if norm is None:
        return x
    if not is_plain(norm):
        return norm(x)
    return F.rms_norm(x.float(), (x.shape[-1],), norm.weight.float(), norm.variance_epsilon).to(x.dtype)


def normed(attention: Any, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Normalise queries and keys (..., heads, head size) head by head, where the attention does (Qwen3)."""
    return (attention.q_norm(q), attention.k_norm(k)) if hasattr(attention, "q_norm") else (q, k)


def angles(stack: Any, x: Tensor, positions_N: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return cosine and sine of each kind of layer's rotary angles, shape (N, 1, head size), in the type of x."""
    rotary = stack.rotary_emb
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for kind in dict.fromkeys(kinds_of(stack.config)):
        # Gemma 3 has a base of its own in each kind.
        cos, sin = rotary(x, positions_N[None], *([kind] if hasattr(rotary, "layer_types") else []))
        found[kind] = cos[0][:, None], sin[0][:, None]
    return found


def window_within(config: Any, kind: str, length: int) -> int | None:
    """Return how many positions a kind of layer sees; None where none of `length` tokens is too far away."""
    window = window_of(config) if kind == SLIDING else None
    return None if window is None or window >= length else window


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions (RoFormer, eq. 34, in the half-split layout) to (..., heads, head size)."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


def feed_forward(mlp: Any, gate: Tensor, up: Tensor) -> Tensor:
    """Return what a layer's gated linear unit adds (Shazeer 2020, arXiv 2002.05202, eq. 6)."""
    return mlp.down_proj(mlp.act_fn(gate) * up)
