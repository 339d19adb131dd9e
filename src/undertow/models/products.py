"""Products with weights that do not change, laid out once for the processor.

A processor's matrix kernels first copy the weights into an order of their own, every time. With a few rows that copy
costs as much as the product. The products of SmolLM2-135M for 64 rows took 100 ms in float32. They took 73 ms with
weights that were laid out beforehand, and 41 in place of 50 ms in bf16. That was on 2 cores of an AMD EPYC with AVX-512
BF16 (`docs/lab-notebook.md`, 30 November, third session). Laid-out weights are one more copy of them. This module
knows plain linear layers on a processor. Everything else is computed by its own module.

    product = product_of([layer.q_proj, layer.k_proj])
    product(x)   # both outputs, side by side
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Product = Callable[[Tensor], Tensor]
"""From inputs (..., D) to outputs (..., E)."""


def product_of(modules: Sequence[Any], *, lay_out: bool = True) -> Product:
    """Join the products of modules that read the same input.

    Args:
        modules: Linear layers, or whatever stands in their place (an adapter, say). Their weights must not change while
            the product is used.
        lay_out: Lay the weights out for the processor, where it has kernels for that.
    """
    if not all(type(module) is nn.Linear for module in modules):
        if len(modules) == 1:
            return modules[0]
        return lambda x: torch.cat([module(x) for module in modules], dim=-1)
    single = len(modules) == 1
    weight = modules[0].weight.detach() if single else torch.cat([module.weight.detach() for module in modules])
    bias = None if modules[0].bias is None else torch.cat([module.bias.detach() for module in modules])
    ready = _laid_out(weight) if lay_out else None
    if ready is None:
        return lambda x: F.linear(x, weight, bias)
    return lambda x: torch.ops.mkldnn._linear_pointwise(x, ready, bias, "none", [], "")


def _laid_out(weight: Tensor) -> Tensor | None:
    """Return the weights in the order of the processor's kernels; None where torch has no such kernels for them.

    They are those that torch's own compiler uses.
    """
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return None
    try:
        return torch.ops.mkldnn._reorder_linear_weight(weight, None)
    except (AttributeError, RuntimeError):  # another build of torch; bf16 without the instructions for it
        return None
