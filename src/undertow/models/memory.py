"""How many tokens a pass may hold at once: what a backward pass keeps of them shall fit into a set amount of memory.

    tokens_that_fit(net)           tokens of a pass that gradients flow through
    positions_at_once(size)        positions whose logits over a vocabulary are in memory together
    chunks_within(sizes, most)     consecutive parts of a list, each within a number of tokens

It counts what the layers keep and the logits of the tokens that are predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from undertow.models.attention import SHORT
from undertow.models.engine.network import text_config
from undertow.models.layers import head_size
from undertow.models.storage import bytes_of

KEPT = 384 * 1024**2
"""Bytes, at least, that activations may take; of large models as much as an eighth of their weights."""
FEWEST, MOST = 128, 4096
"""Tokens at once. Matrix products of fewer rows are slower; more do not make them faster."""

TABLE = 96 * 1024**2
"""Bytes that a table of logits may take where no gradient flows."""

_LOGITS = 1.5
"""Tables of logits per token: three of them live at once, for the half of the tokens that are predicted."""


def attention_sizes(config: Any) -> tuple[int, int, int]:
    """Return a text model's heads, its heads of keys and values, and the width of a head; zeros without attention."""
    heads = int(getattr(config, "num_attention_heads", None) or 0)
    if not heads:
        return 0, 0, 0
    return heads, int(getattr(config, "num_key_value_heads", None) or heads), head_size(config)


def kept_per_token(config: Any, *, item: int = 4) -> int:
    """Return the bytes that a backward pass keeps of a token in all layers of a decoder.

    A layer keeps the input and output of its two norms, queries, keys, values, what attention puts out and what the
    output projection reads, and of a gated linear unit the gate before and after its activation, the other side and
    their product. Attention of short rows keeps a weight for each head and token that is seen, see `attention`.

    Args:
        config: Of the text model.
        item: Bytes of a number.
    """
    width = int(config.hidden_size)
    heads, key_heads, head = attention_sizes(config)
    inner = int(
        getattr(config, "moe_intermediate_size", None) or getattr(config, "intermediate_size", None) or 4 * width
    )
    experts = int(getattr(config, "num_experts_per_tok", None) or 1)
    layer = 4 * width + 3 * heads * head + 2 * key_heads * head + heads * SHORT + 4 * inner * experts
    return int(config.num_hidden_layers) * layer * item


def tokens_that_fit(net: Any) -> int:
    """Return the tokens of a pass through which gradients flow.

    Args:
        net: A network, with or without a PEFT wrapper.
    """
    config = text_config(net)
    return tokens_within(kept_per_token(config), int(config.vocab_size), bytes_of(net))


def tokens_within(kept: int, vocabulary: int, held: int) -> int:
    """Return the tokens of a pass through which gradients flow, by a model's size.

    Args:
        kept: Bytes that a backward pass keeps of a token, see `kept_per_token`.
        vocabulary: Tokens that a logit is made for.
        held: Bytes of the weights.
    """
    return max(FEWEST, min(MOST, int(max(KEPT, held // 8) / (kept + logits_per_token(vocabulary)))))


def logits_per_token(vocabulary: int) -> float:
    """Return the bytes of logits per token of a pass, in float32."""
    return 4 * _LOGITS * vocabulary


def positions_at_once(vocabulary: int) -> int:
    """Return how many positions' logits are computed together: as many as `TABLE` holds, between 64 and 512."""
    return max(64, min(512, TABLE // (4 * vocabulary)))


def chunks_within(sizes: Sequence[int], most: int) -> list[slice]:
    """Split a list into consecutive parts whose sizes add up to at most so much; a larger item is a part of its own."""
    parts: list[slice] = []
    start = total = 0
    for at, size in enumerate(sizes):
        if at > start and total + size > most:
            parts.append(slice(start, at))
            start, total = at, 0
        total += size
    if start < len(sizes):
        parts.append(slice(start, len(sizes)))
    return parts
