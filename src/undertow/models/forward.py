"""The forward pass of Llama-shaped decoders over packed sequences, and over a key-value cache.

It walks the modules of a `transformers` model (so that PEFT adapters, which replace modules, work unchanged) and does
without the parts that cost time: padding, masks, repeated heads, logits that nobody reads. Works for models whose
layers have the Llama layout (Llama, SmolLM2, Mistral, Qwen2); others raise `ModelError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.errors import ModelError
from undertow.models.packing import Packed

Steering = Mapping[int, Tensor]
"""Layer index to a vector (D) that is added to that layer's output at every position."""

SUPPORTED = ("llama", "mistral", "qwen2")


def decoder(model: Any) -> Any:
    """Return the stack of layers inside a causal language model, with or without a PEFT wrapper.

    Raises:
        ModelError: the architecture has another layout.
    """
    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    kind = inner.config.model_type
    if kind not in SUPPORTED:
        raise ModelError(
            f"the architecture {kind!r} is not supported",
            fix="Use a model of one of these: " + ", ".join(SUPPORTED) + ".",
        )
    return inner.model


def output_weight(model: Any) -> Tensor:
    """Return the output projection, shape (vocabulary, D)."""
    return model.get_output_embeddings().weight


def _norm(x: Tensor, norm: Any) -> Tensor:
    return F.rms_norm(x.float(), (x.shape[-1],), norm.weight.float(), norm.variance_epsilon).to(x.dtype)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions (RoFormer, eq. 34, in the half-split layout) to (..., heads, D)."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


def _angles(stack: Any, x: Tensor, positions_N: Tensor) -> tuple[Tensor, Tensor]:
    cos, sin = stack.rotary_emb(x, positions_N[None])
    return cos[0][:, None], sin[0][:, None]


def _project(attention: Any, x_ND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    size = attention.head_dim
    return (
        attention.q_proj(x_ND).view(x_ND.shape[0], -1, size),
        attention.k_proj(x_ND).view(x_ND.shape[0], -1, size),
        attention.v_proj(x_ND).view(x_ND.shape[0], -1, size),
    )


def _add_feed_forward(x_ND: Tensor, layer: Any) -> Tensor:
    mlp = layer.mlp
    y = _norm(x_ND, layer.post_attention_layernorm)
    return x_ND + mlp.down_proj(F.silu(mlp.gate_proj(y)) * mlp.up_proj(y))


@dataclass(frozen=True)
class Cache:
    """Keys and values of B rows with room for S positions: per layer (B, heads, S, head size), changed in place."""

    keys: list[Tensor]
    values: list[Tensor]

    def move(self, source: int, target: int) -> None:
        """Copy a row over another."""
        for each in (*self.keys, *self.values):
            each[target] = each[source]


def empty_cache(model: Any, rows: int, room: int) -> Cache:
    """Make a cache for `rows` rows of at most `room` positions."""
    stack = decoder(model)
    like = stack.embed_tokens.weight
    shape = (rows, stack.config.num_key_value_heads, room, _head_size(stack.config))
    layers = range(stack.config.num_hidden_layers)
    return Cache([like.new_zeros(shape) for _ in layers], [like.new_zeros(shape) for _ in layers])


def rows_that_fit(model: Any, room: int, *, size: int = 2 * 1024**3) -> int:
    """Return how many rows of `room` positions have a cache of at most `size` bytes; at least one."""
    stack = decoder(model)
    config = stack.config
    width = 2 * config.num_hidden_layers * config.num_key_value_heads * _head_size(config)
    return max(1, size // (width * room * stack.embed_tokens.weight.element_size()))


def _head_size(config: Any) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


@dataclass(frozen=True)
class Hidden:
    """What a forward pass over a pack computed."""

    hidden_ND: Tensor
    """After the last norm."""
    layers: dict[int, Tensor]
    """Outputs (N, D) of the layers that were asked for."""


def forward_packed(
    model: Any,
    packed: Packed,
    *,
    steering: Steering | None = None,
    cache: Cache | None = None,
    slots: Tensor | None = None,
    keep_layers: tuple[int, ...] = (),
) -> Hidden:
    """Compute the hidden states of every node of a pack.

    Args:
        model: A causal language model of a supported architecture.
        packed: The sequences.
        steering: Vectors to add.
        cache: Receives the keys and values of the sequences.
        slots: The cache rows that belong to the sequences.
        keep_layers: Layers whose outputs to return as well.
    """
    stack = decoder(model)
    x = stack.embed_tokens(packed.ids_N)
    cos, sin = _angles(stack, x, packed.positions_N)
    kept: dict[int, Tensor] = {}
    length = packed.rows_BL.shape[1]
    sees = None if packed.sees_BLL is None else packed.sees_BLL[:, None]
    for index, layer in enumerate(stack.layers):
        q, k, v = _project(layer.self_attn, _norm(x, layer.input_layernorm))
        cos_, sin_ = cos.to(q.dtype), sin.to(q.dtype)
        q, k = _rotate(q, cos_, sin_), _rotate(k, cos_, sin_)
        q_BHLE, k_BHLE, v_BHLE = (t[packed.rows_BL].transpose(1, 2) for t in (q, k, v))
        if cache is not None and slots is not None:
            cache.keys[index][slots, :, :length] = k_BHLE
            cache.values[index][slots, :, :length] = v_BHLE
        mixed = F.scaled_dot_product_attention(
            q_BHLE, k_BHLE, v_BHLE, attn_mask=sees, is_causal=sees is None, enable_gqa=True
        )
        mixed_ND = mixed.transpose(1, 2).reshape(-1, q.shape[1] * q.shape[2])[packed.where_N]
        x = _add_feed_forward(x + layer.self_attn.o_proj(mixed_ND), layer)
        if steering and index in steering:
            x = x + steering[index].to(x.dtype)
        if index in keep_layers:
            kept[index] = x
    return Hidden(_norm(x, stack.norm), kept)


def forward_step(
    model: Any, ids_B: Tensor, positions_B: Tensor, cache: Cache, *, steering: Steering | None = None
) -> Tensor:
    """Compute the hidden states (B, D) of one new token per row, and put it into the cache.

    Args:
        model: As in `forward_packed`.
        ids_B: The new tokens, of the first B rows of the cache.
        positions_B: Where each row's token goes; earlier slots are filled, later ones are not read.
        cache: Is changed in place.
        steering: Vectors to add.
    """
    stack = decoder(model)
    x = stack.embed_tokens(ids_B)
    cos, sin = _angles(stack, x, positions_B)
    rows = torch.arange(len(ids_B), device=x.device)
    length = int(positions_B.max()) + 1
    seen = torch.arange(length, device=x.device)[None, :] <= positions_B[:, None]
    bias_B11S = torch.zeros(seen.shape, dtype=x.dtype, device=x.device).masked_fill(~seen, float("-inf"))[:, None, None]
    for index, layer in enumerate(stack.layers):
        q, k, v = _project(layer.self_attn, _norm(x, layer.input_layernorm))
        cos_, sin_ = cos.to(q.dtype), sin.to(q.dtype)
        q, k = _rotate(q, cos_, sin_), _rotate(k, cos_, sin_)
        cache.keys[index][rows, :, positions_B] = k
        cache.values[index][rows, :, positions_B] = v
        keys, values = (each[index][: len(ids_B), :, :length] for each in (cache.keys, cache.values))
        # The query heads that share a key head take the place of query positions: no key is copied.
        grouped = q.view(q.shape[0], keys.shape[1], -1, q.shape[2])
        # For so few query positions, plain products beat the fused kernel by half on a CPU.
        weights = (grouped @ keys.transpose(-1, -2) * q.shape[2] ** -0.5 + bias_B11S).softmax(dim=-1)
        mixed = weights @ values
        x = _add_feed_forward(x + layer.self_attn.o_proj(mixed.reshape(len(ids_B), -1)), layer)
        if steering and index in steering:
            x = x + steering[index].to(x.dtype)
    return _norm(x, stack.norm)
