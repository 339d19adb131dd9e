"""From last hidden states to logits: the output projection, and what some architectures do with it.

    logits_NV = head_of(net)(hidden_ND)

Beside the projection there may be a bias, a factor (Granite divides by `logits_scaling`, Cohere multiplies with
`logit_scale`) and a soft cap (Gemma 2, RecurrentGemma: cap * tanh(logits / cap), arXiv 2408.00118, section 2).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undertow.models.engine.network import text_config
from undertow.models.storage import StoredLinear, stored_product


@dataclass(frozen=True)
class Head:
    """What turns last hidden states (..., D) into logits (..., V)."""

    weight_VD: Tensor
    """The output projection, without adapters."""
    bias_V: Tensor | None = None
    project: Callable[[Tensor], Tensor] | None = None
    """In place of the projection, where it is not a plain linear layer: an adapter, say."""
    factor: float = 1.0
    divisor: float = 1.0
    cap: float | None = None
    widened: bool = False
    """Whether its weights are kept in half precision and widened when they are used; see `models.storage`."""

    def __call__(self, hidden_ND: Tensor) -> Tensor:
        """Return the logits, in the type of the product, where the hidden states are."""
        place = hidden_ND.device
        hidden_ND = hidden_ND.to(self.device)
        if self.project is not None:
            logits_NV = self.project(hidden_ND)
        elif self.widened:
            logits_NV = stored_product(hidden_ND, self.weight_VD, self.bias_V)
        else:
            logits_NV = F.linear(hidden_ND, self.weight_VD, self.bias_V)
        if self.divisor != 1.0:
            logits_NV = logits_NV / self.divisor
        if self.factor != 1.0:
            logits_NV = logits_NV * self.factor
        return (logits_NV if self.cap is None else self.cap * torch.tanh(logits_NV / self.cap)).to(place)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.weight_VD.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the hidden states that it reads."""
        return torch.float32 if self.widened else self.weight_VD.dtype

    @property
    def size(self) -> int:
        """Number of tokens."""
        return self.weight_VD.shape[0]

    def only(self, tokens_V: Tensor) -> Head:
        """Return the head of some tokens alone."""
        whole = self.project

        def project(hidden_ND: Tensor) -> Tensor:
            assert whole is not None
            return whole(hidden_ND)[..., tokens_V]

        return replace(
            self,
            weight_VD=self.weight_VD[tokens_V],
            bias_V=None if self.bias_V is None else self.bias_V[tokens_V],
            project=None if whole is None else project,
        )

    def kept(self) -> Head:
        """Return a copy that training does not change, and that no gradient flows to."""
        return replace(
            self,
            weight_VD=self.weight_VD.detach().clone(),
            bias_V=None if self.bias_V is None else self.bias_V.detach().clone(),
            project=None if self.project is None else copy.deepcopy(self.project),
        )


def head_of(net: Any) -> Head:
    """Return the head of a causal language model, with or without a PEFT wrapper."""
    module = net.get_output_embeddings()
    config = text_config(net)
    plain = type(module) in (nn.Linear, StoredLinear)
    return Head(
        module.weight,
        getattr(module, "bias", None),
        None if plain else module,
        factor=_number(config, "logit_scale") or _number(config, "lm_head_multiplier") or 1.0,
        divisor=_number(config, "logits_scaling") or 1.0,
        cap=_number(config, "final_logit_softcapping") or _number(config, "logits_soft_cap"),
        widened=isinstance(getattr(module, "base_layer", module), StoredLinear),
    )


def _number(config: Any, name: str) -> float | None:
    found = getattr(config, name, None)
    return None if found is None else float(found)
