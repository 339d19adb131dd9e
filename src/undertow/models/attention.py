"""Attention over the rows of a pack.

The fused kernel of torch is made for long texts. Rows of a dataset are short, and plain products are faster there on a
processor. In bf16 they take 12 ms in place of 44 for 16 rows of 125 tokens, in float32 18 in place of 22. That is
forwards and backwards, with 9 heads of 64, on 2 cores of an AMD EPYC with AVX-512 BF16 (`docs/lab-notebook.md`, 30
November, third session). They keep the weights of every pair of tokens, so long rows are left to the fused kernel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SHORT = 192
"""Tokens of a row up to which plain products are used. At 250 they gain little, and keep more."""


def attend(q_BHLE: Tensor, k_BKLE: Tensor, v_BKLE: Tensor, sees_B1LL: Tensor | None, scale: float) -> Tensor:
    """Mix values by scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762, eq. 1).

    Args:
        q_BHLE: Queries of H heads.
        k_BKLE: Keys of K heads; H is a multiple of it.
        v_BKLE: Values.
        sees_B1LL: Which slots (last axis) each slot may attend to; all up to itself when None.
        scale: What products of queries and keys are multiplied by.

    Returns:
        Mixed values (B, H, L, E).
    """
    batch, heads, length, size = q_BHLE.shape
    if length > SHORT or q_BHLE.device.type != "cpu":
        return F.scaled_dot_product_attention(
            q_BHLE, k_BKLE, v_BKLE, attn_mask=sees_B1LL, is_causal=sees_B1LL is None, scale=scale, enable_gqa=True
        )
    key_heads = k_BKLE.shape[1]
    sees = q_BHLE.new_ones(length, length, dtype=torch.bool).tril() if sees_B1LL is None else sees_B1LL
    # The query heads that share a key head lie along the query positions: no key is copied.
    grouped = q_BHLE.reshape(batch, key_heads, -1, size) * scale
    scores = (grouped @ k_BKLE.transpose(-1, -2)).float().view(batch, heads, length, length)
    weights = scores.masked_fill(~sees, float("-inf")).softmax(dim=-1).to(v_BKLE.dtype)
    return (weights.view(batch, key_heads, -1, length) @ v_BKLE).view(batch, heads, length, size)
