"""The parts of Llama-shaped decoders, as `fast` and `decode` put them together.

They are the modules of a `transformers` model, so that PEFT adapters, which replace modules, work unchanged. It knows
the Llama layout alone (Llama, SmolLM2, Mistral, Qwen2, Qwen3); `engine.network` reads any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Steering = Mapping[int, Tensor]
"""Layer index to a vector (D) that is added to that layer's output at every position."""


def decoder(model: Any) -> Any:
    """Return the stack of layers inside a causal language model of this layout, with or without a PEFT wrapper."""
    return (model.get_base_model() if hasattr(model, "get_base_model") else model).model


def head_size(config: Any) -> int:
    """Return the width of an attention head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def normalise(x: Tensor, norm: Any) -> Tensor:
    """Apply a root-mean-square norm, in float32 (Zhang and Sennrich 2019, arXiv 1910.07467, eq. 4)."""
    return F.rms_norm(x.float(), (x.shape[-1],), norm.weight.float(), norm.variance_epsilon).to(x.dtype)


def normed(attention: Any, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Normalise queries and keys (..., heads, head size) head by head, where the attention does (Qwen3)."""
    return (attention.q_norm(q), attention.k_norm(k)) if hasattr(attention, "q_norm") else (q, k)


def angles(stack: Any, x: Tensor, positions_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosine and sine of the rotary angles, shape (N, 1, head size), in the type of x."""
    cos, sin = stack.rotary_emb(x, positions_N[None])
    return cos[0][:, None], sin[0][:, None]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions (RoFormer, eq. 34, in the half-split layout) to (..., heads, head size)."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


def feed_forward(mlp: Any, gate: Tensor, up: Tensor) -> Tensor:
    """Return what a layer's gated linear unit adds (Shazeer 2020, arXiv 2002.05202, eq. 6)."""
    return mlp.down_proj(mlp.act_fn(gate) * up)
