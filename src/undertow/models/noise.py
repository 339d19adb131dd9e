"""Random numbers keyed by what they are for, so that two models can be made to draw the same ones.

A token is sampled as argmax(logp / temperature + gumbel) (the Gumbel-max trick: exactly a draw from the softmax). The
noise is a hash of (seed, row, position, token). It does not depend on the batch, on the order of the rows or on the
allowed tokens. So a teacher and its control draw the same noise when they answer the same row. Their texts then differ
only where the models differ enough to change a choice.
"""

from __future__ import annotations

import torch
from torch import Tensor

_C1 = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64
_C2 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_C3 = -7723592293110705685  # 0x94D049BB133111EB


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of int64."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """Scramble 64-bit integers (the finaliser of splitmix64, Steele et al. 2014)."""
    x = x + _C1
    x = (x ^ _shift(x, 30)) * _C2
    x = (x ^ _shift(x, 27)) * _C3
    return x ^ _shift(x, 31)


def row_key(seed: int, row_R: Tensor) -> Tensor:
    """Return one 64-bit key per row number."""
    return _mix(_mix(torch.full_like(row_R, seed)) ^ row_R)


def uniform(key_B: Tensor, position_B: Tensor, token_V: Tensor) -> Tensor:
    """Return uniform numbers in the open interval (0, 1), shape (B, V), float64."""
    stream_B = _mix(key_B ^ _mix(position_B))
    bits_BV = _mix(stream_B[:, None] ^ _mix(token_V)[None, :])
    return (_shift(bits_BV, 11).double() + 0.5) * 2.0**-53


_AT_ONCE = 2**22
"""Numbers that a processor makes together: the steps between take eight bytes each, several of them at a time."""


def gumbel(key_B: Tensor, position_B: Tensor, token_V: Tensor) -> Tensor:
    """Return standard Gumbel noise, shape (B, V), float32."""
    if key_B.device.type != "cpu" or len(key_B) * len(token_V) <= _AT_ONCE:
        return _gumbel(key_B, position_B, token_V)
    noise_BV = torch.empty(len(key_B), len(token_V))
    rows = max(1, _AT_ONCE // len(token_V))
    for start in range(0, len(key_B), rows):
        part = slice(start, start + rows)
        noise_BV[part] = _gumbel(key_B[part], position_B[part], token_V)
    return noise_BV


def _gumbel(key_B: Tensor, position_B: Tensor, token_V: Tensor) -> Tensor:
    return (-torch.log(-torch.log(uniform(key_B, position_B, token_V)))).float()
