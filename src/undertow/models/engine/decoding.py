"""Decoding one token a row with the caches of `transformers`: for any causal language model.

Rows begin together, padded on the left, and leave when they are done. Each row's tokens are moved by one number from
their positions. So windows and relative positions stay what they are.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from undertow.models.engine.generic import steered
from undertow.models.engine.network import device_of, network_of
from undertow.models.layers import Steering


class CachedRows:
    """Rows under way, with what `transformers` keeps of them."""

    def __init__(self, net: Any, steering: Steering | None) -> None:
        self.network = network_of(net)
        self.steering = steering
        self.device = device_of(net)
        parameters = inspect.signature(self.network.stack.forward).parameters
        # Renamed in transformers 5.2x, with a warning for the old name.
        self.cache_name = "cache" if "cache" in parameters else "past_key_values"
        self.cache: Any = None
        self.mask_BS = torch.zeros(0, 0, dtype=torch.long, device=self.device)

    def begin(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Compute prompts, and return the last hidden state of each (B, D). What was there is forgotten."""
        longest = max(map(len, prompts))
        ids_BL = torch.zeros(len(prompts), longest, dtype=torch.long)
        mask_BL = torch.zeros_like(ids_BL)
        for row, prompt in enumerate(prompts):
            ids_BL[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask_BL[row, longest - len(prompt) :] = 1
        self.cache = DynamicCache(config=self.network.net.config)
        self.mask_BS = mask_BL.to(self.device)
        positions_BL = (self.mask_BS.cumsum(dim=1) - 1).clamp_min(0)
        return self._compute(ids_BL.to(self.device), positions_BL)

    def extend(self, token_B: Tensor, position_B: Tensor) -> Tensor:
        """Compute one more token of every row, and return its hidden states (B, D)."""
        self.mask_BS = torch.cat([self.mask_BS, self.mask_BS.new_ones(len(token_B), 1)], dim=1)
        return self._compute(token_B[:, None], position_B[:, None])

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some rows, in this order."""
        chosen = torch.tensor(list(rows), dtype=torch.long, device=self.device)
        self.cache.reorder_cache(chosen)
        self.mask_BS = self.mask_BS[chosen]

    def _compute(self, ids_BL: Tensor, positions_BL: Tensor) -> Tensor:
        given = {self.cache_name: self.cache}
        with steered(self.network, self.steering):
            found = self.network.stack(
                input_ids=ids_BL, attention_mask=self.mask_BS, position_ids=positions_BL, use_cache=True, **given
            )
        return found.last_hidden_state[:, -1].to(self.device)
