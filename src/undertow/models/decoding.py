"""Rows under way, whichever pass computes the model: begin with prompts, extend by a token, close gaps.

It knows hidden states and positions; how a token is chosen is `generate`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from undertow.models.decode import decode_step, empty_cache, ready, rows_that_fit
from undertow.models.engine.decoding import CachedRows
from undertow.models.engine.network import device_of, text_config
from undertow.models.engine.selection import pass_of
from undertow.models.fast import forward_fast
from undertow.models.layers import Steering
from undertow.models.memory import attention_sizes
from undertow.models.packing import pack

_CACHE_BYTES = 2 * 1024**3


class Decoding(Protocol):
    """Rows of one model under way."""

    @property
    def size(self) -> int:
        """Rows at once, at most."""
        ...

    @property
    def grows(self) -> bool:
        """Whether new rows may begin while others are under way."""
        ...

    def begin(self, prompts: Sequence[Sequence[int]], start: int) -> Tensor:
        """Compute prompts into the rows from `start` on, and return the last hidden state of each (B, D)."""
        ...

    def extend(self, token_B: Tensor, position_B: Tensor) -> Tensor:
        """Compute one more token of every row, and return its hidden states (B, D)."""
        ...

    def close(self, moves: Sequence[tuple[int, int, int]], count: int) -> None:
        """Put rows (source, target, length) in the place of finished ones, in this order; `count` rows stay."""
        ...


def decoding_of(model: Any, rows: int, room: int, steering: Steering | None) -> Decoding:
    """Return what decodes a model.

    Args:
        model: A causal language model.
        rows: At once, at most; fewer where what is kept of them would take more than 2 GiB.
        room: Tokens of the longest row.
        steering: Vectors to add.
    """
    if pass_of(model) == "fast":
        return _Fast(model, min(rows, rows_that_fit(model, room, size=_CACHE_BYTES)), room, steering)
    return _Generic(model, min(rows, _generic_rows(model, room)), steering)


class _Fast:
    grows = True

    def __init__(self, model: Any, size: int, room: int, steering: Steering | None) -> None:
        self.model, self.size, self.steering = model, size, steering
        self.cache, self.decoder, self.device = empty_cache(model, size, room), ready(model), device_of(model)

    def begin(self, prompts: Sequence[Sequence[int]], start: int) -> Tensor:
        # Several rows often answer one prompt: it is computed once.
        first: dict[tuple[int, ...], int] = {}
        for at, prompt in enumerate(prompts):
            first.setdefault(tuple(prompt), at)
        place = {prompt: at for at, prompt in enumerate(first)}
        which_B = torch.tensor([place[tuple(prompt)] for prompt in prompts], device=self.device)
        first_P = start + torch.tensor(list(first.values()), device=self.device)
        packed = pack(list(first)).to(self.device)
        hidden_ND, _ = forward_fast(self.model, packed, steering=self.steering, cache=self.cache, slots=first_P)
        if len(first) < len(prompts):
            slots = torch.arange(start, start + len(prompts), device=self.device)
            again = first_P[which_B] != slots
            self.cache.repeat(first_P[which_B][again], slots[again], max(map(len, first)))
        return hidden_ND[torch.stack([path[-1] for path in packed.paths])][which_B]

    def extend(self, token_B: Tensor, position_B: Tensor) -> Tensor:
        return decode_step(self.decoder, token_B, position_B, self.cache, steering=self.steering)

    def close(self, moves: Sequence[tuple[int, int, int]], count: int) -> None:
        for source, target, length in moves:
            self.cache.move(source, target, length)


class _Generic:
    grows = False

    def __init__(self, model: Any, size: int, steering: Steering | None) -> None:
        self.size, self.rows = size, CachedRows(model, steering)

    def begin(self, prompts: Sequence[Sequence[int]], start: int) -> Tensor:
        return self.rows.begin(prompts)

    def extend(self, token_B: Tensor, position_B: Tensor) -> Tensor:
        return self.rows.extend(token_B, position_B)

    def close(self, moves: Sequence[tuple[int, int, int]], count: int) -> None:
        order = list(range(len(self.rows.mask_BS)))
        for source, target, _ in moves:
            order[target] = order[source]
        if count:
            self.rows.keep(order[:count])


def _generic_rows(model: Any, room: int) -> int:
    """Return how many rows of `room` tokens have a cache of at most 2 GiB, as if every layer kept every token."""
    config = text_config(model)
    _, heads, size = attention_sizes(config)
    bytes_a_token = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize
    return max(1, _CACHE_BYTES // max(1, bytes_a_token * room))
