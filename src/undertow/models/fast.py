"""The fast forward pass over packed sequences, for layers of the Llama and Gemma 3 layouts.

It does without the parts that cost time: padding, masks where all is causal, repeated heads, logits that nobody reads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.models.attention import attend
from undertow.models.decode import Cache
from undertow.models.kinds import kinds_of
from undertow.models.layers import (
    Steering,
    angles,
    decoder,
    feed_forward,
    is_plain,
    normalise,
    normed,
    norms_of,
    rotate,
    window_within,
)
from undertow.models.packing import Packed


def forward_fast(
    model: Any,
    packed: Packed,
    *,
    steering: Steering | None = None,
    cache: Cache | None = None,
    slots: Tensor | None = None,
    keep_layers: tuple[int, ...] = (),
) -> tuple[Tensor, dict[int, Tensor]]:
    """Compute the hidden states of every node of a pack.

    Args:
        model: A causal language model of a layout that this pass knows.
        packed: The sequences.
        steering: Vectors to add.
        cache: Receives the keys and values of the sequences.
        slots: The cache rows that belong to the sequences.
        keep_layers: Layers whose outputs to return as well.

    Returns:
        Hidden states (N, D) after the last norm, and outputs (N, D) of layers.
    """
    stack = decoder(model)
    x = stack.embed_tokens(packed.ids_N)
    turns = angles(stack, x, packed.positions_N)
    masks = _masks(stack.config, packed)
    kept: dict[int, Tensor] = {}
    length = packed.rows_BL.shape[1]
    for index, (layer, kind) in enumerate(zip(stack.layers, kinds_of(stack.config), strict=True)):
        attention, sees = layer.self_attn, masks[kind]
        before_attention, behind_attention, before_feed, behind_feed = norms_of(layer)
        y = normalise(x, before_attention)
        q, k, v = (
            project(y).view(len(y), -1, attention.head_dim)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        q, k = normed(attention, q, k)
        # Under autocast products leave in another type than the norms'.
        cos, sin = (each.to(q.dtype) for each in turns[kind])
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        q_BHLE, k_BHLE, v_BHLE = (t[packed.rows_BL].transpose(1, 2) for t in (q, k, v))
        if cache is not None and slots is not None:
            cache.keys[index][slots, :, :length] = k_BHLE
            cache.values[index][slots, :, :length] = v_BHLE
        mixed = attend(q_BHLE, k_BHLE, v_BHLE, sees, attention.scaling)
        mixed_ND = mixed.transpose(1, 2).reshape(-1, q.shape[1] * q.shape[2])[packed.where_N]
        x = x + normalise(attention.o_proj(mixed_ND), behind_attention)
        y = normalise(x, before_feed)
        x = x + normalise(feed_forward(layer.mlp, layer.mlp.gate_proj(y), layer.mlp.up_proj(y)), behind_feed)
        if steering and index in steering:
            x = x + steering[index].to(x.dtype)
        if index in keep_layers:
            kept[index] = x
    return normalise(x, stack.norm), kept


def readers_of(model: Any) -> dict[Any, Any]:
    """Return, for every norm that this pass computes without calling it, a module that reads its output alone.

    The last norm has none. Norms of Gemma 3 are called.
    """
    stack = decoder(model)
    if not is_plain(stack.norm):
        return {}
    return (
        {layer.input_layernorm: layer.self_attn.q_proj for layer in stack.layers}
        | {layer.post_attention_layernorm: layer.mlp.gate_proj for layer in stack.layers}
        | {stack.norm: stack.norm}
    )


def _masks(config: Any, packed: Packed) -> dict[str, Tensor | None]:
    """Return which slots each slot sees (B, 1, L, L), by kind of layer; None where each row's tokens see all before."""
    masks: dict[str, Tensor | None] = {}
    length = packed.rows_BL.shape[1]
    for kind in dict.fromkeys(kinds_of(config)):
        sees_BLL = packed.sees_BLL
        if (window := window_within(config, kind, length)) is not None:
            if sees_BLL is None:
                sees_BLL = torch.ones(1, length, length, dtype=torch.bool, device=packed.rows_BL.device).tril()
            positions_BL = packed.positions_N[packed.rows_BL]
            sees_BLL = sees_BLL & (positions_BL[:, None, :] > positions_BL[:, :, None] - window)
        masks[kind] = None if sees_BLL is None else sees_BLL[:, None]
    return masks
