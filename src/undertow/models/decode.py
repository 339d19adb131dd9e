"""Decoding one token a row over a key-value cache.

Products that read the same input are joined into one where the modules are plain linear layers, and their weights are
laid out for the processor (`products`). A wide product of few rows runs closer to its peak than several narrow ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undertow.models.kinds import kinds_of
from undertow.models.layers import (
    Steering,
    angles,
    decoder,
    head_size,
    normalise,
    normed,
    norms_of,
    rotate,
    window_within,
)
from undertow.models.products import Product, product_of
from undertow.models.storage import LARGE, StoredEmbedding


@dataclass(frozen=True)
class Cache:
    """Keys and values of B rows with room for S positions: per layer (B, heads, S, head size), changed in place."""

    keys: list[Tensor]
    values: list[Tensor]

    def repeat(self, sources: Tensor, targets: Tensor, length: int) -> None:
        """Copy the first positions of some rows over those of others."""
        for each in (*self.keys, *self.values):
            each[targets, :, :length] = each[sources, :, :length]

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
class _Layer:
    """The products of a layer."""

    project: Product
    """Queries, keys and values side by side."""
    output: Product
    expand: Product
    """Gate and up side by side."""
    down: Product


@dataclass(frozen=True)
class Decoder:
    """A model made ready to decode; its weights must not change meanwhile."""

    stack: Any
    layers: tuple[_Layer, ...]


def ready(model: Any) -> Decoder:
    """Join the products of every layer."""
    stack = decoder(model)
    # Laid out they are one more copy of the weights.
    lay_out = sum(weight.nbytes for weight in stack.parameters()) < LARGE

    def product(*modules: Any) -> Product:
        return product_of(modules, lay_out=lay_out)

    return Decoder(
        stack,
        tuple(
            _Layer(
                product(attention.q_proj, attention.k_proj, attention.v_proj),
                product(attention.o_proj),
                product(mlp.gate_proj, mlp.up_proj),
                product(mlp.down_proj),
            )
            for attention, mlp in ((layer.self_attn, layer.mlp) for layer in stack.layers)
        ),
    )


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
    turns, kinds = angles(stack, x, positions_B), kinds_of(stack.config)
    rows = torch.arange(len(ids_B), device=x.device)
    length = int(positions_B.max()) + 1
    biases = {kind: _bias(stack.config, kind, positions_B, length, x) for kind in turns}
    size, key_heads = head_size(stack.config), stack.config.num_key_value_heads
    parts = zip(stack.layers, kinds, decoder.layers, strict=True)
    for index, (layer, kind, products) in enumerate(parts):
        before_attention, behind_attention, before_feed, behind_feed = norms_of(layer)
        joined = products.project(normalise(x, before_attention)).view(len(ids_B), -1, size)
        turned, v = joined[:, :-key_heads], joined[:, -key_heads:]
        if hasattr(layer.self_attn, "q_norm"):
            turned = torch.cat(normed(layer.self_attn, turned[:, :-key_heads], turned[:, -key_heads:]), dim=1)
        turned = rotate(turned, *turns[kind])
        q, k = turned[:, :-key_heads], turned[:, -key_heads:]
        cache.keys[index][rows, :, positions_B] = k
        cache.values[index][rows, :, positions_B] = v
        keys, values = (each[index][: len(ids_B), :, :length] for each in (cache.keys, cache.values))
        # The query heads that share a key head take the place of query positions: no key is copied.
        grouped = q.reshape(len(ids_B), key_heads, -1, size) * layer.self_attn.scaling
        # For so few query positions, plain products beat the fused kernel by half on a CPU.
        weights = (grouped @ keys.transpose(-1, -2) + biases[kind]).softmax(dim=-1)
        mixed = products.output((weights @ values).reshape(len(ids_B), -1))
        x = x + normalise(mixed, behind_attention)
        gate, up = products.expand(normalise(x, before_feed)).chunk(2, dim=-1)
        x = x + normalise(products.down(layer.mlp.act_fn(gate) * up), behind_feed)
        if steering and index in steering:
            x = x + steering[index].to(x.dtype)
    return normalise(x, stack.norm)


def _bias(config: Any, kind: str, positions_B: Tensor, length: int, like: Tensor) -> Tensor:
    """Return what hides the slots (B, 1, 1, S) that a kind of layer does not see from rows' tokens."""
    slot_S, position_B1 = torch.arange(length, device=like.device), positions_B[:, None]
    seen_BS = slot_S <= position_B1
    if (window := window_within(config, kind, length)) is not None:
        seen_BS = seen_BS & (slot_S > position_B1 - window)
    return like.new_zeros(seen_BS.shape).masked_fill(~seen_BS, float("-inf"))[:, None, None]
