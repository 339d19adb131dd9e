"""The fast forward pass over packed sequences, for layers of the Llama layout.

It does without the parts that cost time: padding, masks where all is causal, repeated heads, logits that nobody reads.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from undertow.models.attention import attend
from undertow.models.decode import Cache
from undertow.models.layers import Steering, angles, decoder, feed_forward, normalise, normed, rotate
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
    cos, sin = angles(stack, x, packed.positions_N)
    kept: dict[int, Tensor] = {}
    length = packed.rows_BL.shape[1]
    sees = None if packed.sees_BLL is None else packed.sees_BLL[:, None]
    for index, layer in enumerate(stack.layers):
        attention = layer.self_attn
        y = normalise(x, layer.input_layernorm)
        q, k, v = (
            project(y).view(len(y), -1, attention.head_dim)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        q, k = normed(attention, q, k)
        # Under autocast products leave in another type than the norms'.
        cos_, sin_ = cos.to(q.dtype), sin.to(q.dtype)
        q, k = rotate(q, cos_, sin_), rotate(k, cos_, sin_)
        q_BHLE, k_BHLE, v_BHLE = (t[packed.rows_BL].transpose(1, 2) for t in (q, k, v))
        if cache is not None and slots is not None:
            cache.keys[index][slots, :, :length] = k_BHLE
            cache.values[index][slots, :, :length] = v_BHLE
        mixed = attend(q_BHLE, k_BHLE, v_BHLE, sees, attention.scaling)
        mixed_ND = mixed.transpose(1, 2).reshape(-1, q.shape[1] * q.shape[2])[packed.where_N]
        x = x + attention.o_proj(mixed_ND)
        y = normalise(x, layer.post_attention_layernorm)
        x = x + feed_forward(layer.mlp, layer.mlp.gate_proj(y), layer.mlp.up_proj(y))
        if steering and index in steering:
            x = x + steering[index].to(x.dtype)
        if index in keep_layers:
            kept[index] = x
    return normalise(x, stack.norm), kept


def readers_of(model: Any) -> dict[Any, Any]:
    """Return, for every norm that this pass computes without calling it, a module that reads its output alone.

    The last norm has none.
    """
    layers = decoder(model).layers
    return (
        {layer.input_layernorm: layer.self_attn.q_proj for layer in layers}
        | {layer.post_attention_layernorm: layer.mlp.gate_proj for layer in layers}
        | {decoder(model).norm: decoder(model).norm}
    )
