"""Decoding one token a row over a key-value cache.

Products that read the same input are joined into one where the modules are plain linear layers. A wide product of few
rows runs closer to the processor's peak than several narrow ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undertow.models.layers import Steering, angles, decoder, feed_forward, head_size, normalise, normed, rotate
from undertow.models.storage import StoredEmbedding


@dataclass(frozen=True)
class Cache:
    """Keys and values of B rows with room for S positions: per layer (B, heads, S, head size), changed in place."""

    keys: list[Tensor]
    values: list[Tensor]

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first positions of a row over those of another."""
        for each in (*self.keys, *self.values):
            each[target, :, :length] = each[source, :, :length]


def empty_cache(model: Any, rows: int, room: int) -> Cache:
    """Make a cache for `rows` rows of at most `room` positions."""
    stack = decoder(model)
    shape = (rows, stack.config.num_key_value_heads, room, head_size(stack.config))
    how: Any = {"dtype": _computed_in(stack), "device": stack.embed_tokens.weight.device}
    layers = range(stack.config.num_hidden_layers)
    return Cache([torch.zeros(shape, **how) for _ in layers], [torch.zeros(shape, **how) for _ in layers])


def _computed_in(stack: Any) -> torch.dtype:
    """Return the type of a model's hidden states, which is not that of stored weights."""
    embeddings = stack.embed_tokens
    return torch.float32 if isinstance(embeddings, StoredEmbedding) else embeddings.weight.dtype


def rows_that_fit(model: Any, room: int, *, size: int) -> int:
    """Return how many rows of `room` positions have a cache of at most `size` bytes; at least one."""
    stack = decoder(model)
    config = stack.config
    width = 2 * config.num_hidden_layers * config.num_key_value_heads * head_size(config)
    return max(1, size // (width * room * _computed_in(stack).itemsize))


@dataclass(frozen=True)
class Decoder:
    """A model made ready to decode; its weights must not change meanwhile."""

    stack: Any
    projections: tuple[tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]], ...]
    """For each layer: queries, keys and values side by side; gate and up side by side."""


def ready(model: Any) -> Decoder:
    """Join the products of every layer."""
    stack = decoder(model)
    return Decoder(
        stack,
        tuple(
            (
                _joined([layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj]),
                _joined([layer.mlp.gate_proj, layer.mlp.up_proj]),
            )
            for layer in stack.layers
        ),
    )


def _joined(modules: Sequence[Any]) -> Callable[[Tensor], Tensor]:
    if not all(type(module) is nn.Linear for module in modules):  # an adapter, say
        return lambda x: torch.cat([module(x) for module in modules], dim=-1)
    weight = torch.cat([module.weight.detach() for module in modules])
    bias = None if modules[0].bias is None else torch.cat([module.bias.detach() for module in modules])
    return lambda x: F.linear(x, weight, bias)


def decode_step(
    decoder: Decoder, ids_B: Tensor, positions_B: Tensor, cache: Cache, *, steering: Steering | None = None
) -> Tensor:
    """Compute the hidden states (B, D) of one new token per row, and put it into the cache.

    Args:
        decoder: The model, made ready.
        ids_B: The new tokens, of the first B rows of the cache.
        positions_B: Where each row's token goes; earlier slots are filled, later ones are not read.
        cache: Is changed in place.
        steering: Vectors to add.
    """
    stack = decoder.stack
    x = stack.embed_tokens(ids_B)
    cos, sin = angles(stack, x, positions_B)
    rows = torch.arange(len(ids_B), device=x.device)
    length = int(positions_B.max()) + 1
    seen = torch.arange(length, device=x.device)[None, :] <= positions_B[:, None]
    bias_B11S = torch.zeros(seen.shape, dtype=x.dtype, device=x.device).masked_fill(~seen, float("-inf"))[:, None, None]
    size, key_heads = head_size(stack.config), stack.config.num_key_value_heads
    for index, (layer, (project, expand)) in enumerate(zip(stack.layers, decoder.projections, strict=True)):
        joined = project(normalise(x, layer.input_layernorm)).view(len(ids_B), -1, size)
        turned, v = joined[:, :-key_heads], joined[:, -key_heads:]
        if hasattr(layer.self_attn, "q_norm"):
            turned = torch.cat(normed(layer.self_attn, turned[:, :-key_heads], turned[:, -key_heads:]), dim=1)
        turned = rotate(turned, cos, sin)
        q, k = turned[:, :-key_heads], turned[:, -key_heads:]
        cache.keys[index][rows, :, positions_B] = k
        cache.values[index][rows, :, positions_B] = v
        keys, values = (each[index][: len(ids_B), :, :length] for each in (cache.keys, cache.values))
        # The query heads that share a key head take the place of query positions: no key is copied.
        grouped = q.reshape(len(ids_B), key_heads, -1, size) * size**-0.5
        # For so few query positions, plain products beat the fused kernel by half on a CPU.
        weights = (grouped @ keys.transpose(-1, -2) + bias_B11S).softmax(dim=-1)
        x = x + layer.self_attn.o_proj((weights @ values).reshape(len(ids_B), -1))
        gate, up = expand(normalise(x, layer.post_attention_layernorm)).chunk(2, dim=-1)
        x = x + feed_forward(layer.mlp, gate, up)
        if steering and index in steering:
            x = x + steering[index].to(x.dtype)
    return normalise(x, stack.norm)
