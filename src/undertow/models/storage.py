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


class _Product(torch.autograd.Function):
    """A product with frozen weights, which keeps them as they are stored for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return x W' + b in the type of x, or of autocast."""
        ctx.weight, ctx.read = weight, x.dtype
        wide = torch.get_autocast_dtype(x.device.type) if torch.is_autocast_enabled(x.device.type) else x.dtype
        return F.linear(x.to(wide), weight.to(wide), None if bias is None else bias.to(wide))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of what was read."""
        (gradient,) = gradients
        return (gradient @ ctx.weight.to(gradient.dtype)).to(ctx.read), None, None


def stored_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x W' + b (..., out) in the type of x, or of autocast.

    Of weights (out, in) that are not trained no widened copy outlives the product.
    """
    if weight.requires_grad:
        return F.linear(x, weight.to(x.dtype), None if bias is None else bias.to(x.dtype))
    found: Any = _Product.apply(x, weight, None if bias is None else bias.detach())
    return found


class StoredLinear(nn.Linear):
    """A linear layer whose weights are widened to the type of what it reads.

    torch would keep the widened weights of all layers until the backward pass is over: those of a large model would
    then be in memory as if they were float32.
    """

    def forward(self, input: Tensor) -> Tensor:  # torch's own name
        """Return the product in the type of the input, or of autocast."""
        bias: Any = self.bias  # None where there is none, whatever torch declares
        return stored_product(input, self.weight, bias)


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
