"""Weights kept in half precision and computed with in float32: half the memory, the same numbers.

Published checkpoints are in bfloat16 mostly. As float32 such weights take twice the bytes and hold nothing more. Here
each matrix is widened when it is used, and narrowed by being forgotten: products, norms and gradients are those of the
float32 model, bit for bit. It serves frozen weights; training all of them needs float32.

    widen_on_use(net)    of a network in half precision
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undertow.errors import ModelError
from undertow.models.checkpoint import Stored


class StoredLinear(nn.Linear):
    """A linear layer whose weights are widened to the type of what it reads."""

    def forward(self, input: Tensor) -> Tensor:  # torch's own name
        """Return the product in the type of the input."""
        bias: Any = self.bias  # None where there is none, whatever torch declares
        return F.linear(input, self.weight.to(input.dtype), None if bias is None else bias.to(input.dtype))


class StoredEmbedding(nn.Embedding):
    """An embedding whose vectors leave in float32."""

    def forward(self, input: Tensor) -> Tensor:  # torch's own name
        """Return the vectors (..., D)."""
        return super().forward(input).float()


_STORED: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: StoredLinear, nn.Embedding: StoredEmbedding}


def widen_on_use(net: Any) -> Any:
    """Let a network in half precision compute in float32, in place.

    Args:
        net: A causal language model whose large weights are in linear layers and embeddings.

    Returns:
        The network. Weights of all other modules are float32 from now on.

    Raises:
        ModelError: it has large weights elsewhere, such as experts in one tensor.
    """
    kept: set[int] = set()
    for module in net.modules():
        if (stored := _STORED.get(type(module))) is not None:
            module.__class__ = stored
            kept |= {id(weight) for weight in module.parameters(recurse=False)}
    rest = [(name, weight) for name, weight in net.named_parameters() if id(weight) not in kept]
    if large := [name for name, weight in rest if weight.dim() > 1 and weight.numel() > _SMALL]:
        raise ModelError(
            f"its weights cannot be kept in half precision and used in float32: {large[0]} is no linear layer's",
            type(net).__name__,
            "Load it in float32, or let it compute in bfloat16.",
        )
    for _, weight in rest:
        weight.data = weight.data.float()
    for buffer in net.buffers():
        if buffer.is_floating_point():
            buffer.data = buffer.data.float()
    return net


@contextmanager
def shown_as_float32(modules: Iterable[StoredLinear]) -> Generator[None]:
    """Show stored matrices as float32 ones of zeros that take no memory, as long as the context lasts.

    PEFT gives an adapter the type of the matrix below it. Drawn for a stored matrix, its start would be rounded.
    """
    weights = [module.weight for module in modules]
    kept = [weight.data for weight in weights]
    try:
        for weight in weights:
            weight.data = torch.zeros(1, device=weight.device).expand(weight.shape)
        yield
    finally:
        for weight, data in zip(weights, kept, strict=True):
            weight.data = data


_SMALL = 1_000_000


LARGE = 2 * 1024**3
"""Bytes of a model in float32 from which its weights stay in half precision: smaller ones are quicker in float32."""


def stays_stored(tensors: Mapping[str, Stored]) -> bool:
    """Whether a checkpoint's weights stay in bfloat16: they are large, stored so, and none is a tensor of experts.

    Args:
        tensors: What its files hold, see `checkpoint.stored_tensors`.
    """
    large = [each for each in tensors.values() if math.prod(each.shape) > _SMALL]
    flat = all(len(each.shape) == 2 and each.dtype == "BF16" for each in large)
    return flat and sum(4 * math.prod(each.shape) for each in tensors.values()) >= LARGE


def bytes_of(net: Any) -> int:
    """Return the bytes of a network's weights; shared ones count once."""
    return sum(weight.numel() * weight.element_size() for weight in net.parameters())
