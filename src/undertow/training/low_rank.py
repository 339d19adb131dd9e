"""A linear layer with a low-rank adapter in one piece: what PEFT computes, in fewer passes over memory.

The frozen weight gets no gradient, the scale is applied where the matrices are thin, and the two products are added up
where they are made. Layers that do more (dropout in training, DoRA, several adapters) stay PEFT's. It knows matrices
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def take_short_cut(net: Any) -> None:
    """Let the plain low-rank layers of a model with an adapter compute in one piece, wherever that is the same."""
    from peft.tuners.lora import Linear

    for module in net.modules():
        if type(module) is Linear and type(module.get_base_layer()) is torch.nn.Linear and not module.lora_variant:
            module.forward = _ShortCut(module, module.forward)


class _ShortCut:
    """The forward pass of one layer."""

    def __init__(self, layer: Any, whole: Callable[..., Tensor]) -> None:
        self.layer = layer
        self.whole = whole

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        layer = self.layer
        names = layer.active_adapters
        if args or kwargs or len(names) != 1 or names[0] not in layer.lora_A or layer.disable_adapters or layer.merged:
            return self.whole(x, *args, **kwargs)
        (name,) = names
        if layer.training and not isinstance(layer.lora_dropout[name], torch.nn.Identity):
            return self.whole(x)
        base, down, up = layer.get_base_layer(), layer.lora_A[name], layer.lora_B[name]
        if base.weight.requires_grad or up.bias is not None:
            return self.whole(x)
        return low_rank_linear(x, base.weight, base.bias, down.weight, up.weight, layer.scaling[name])


def low_rank_linear(
    x_ND: Tensor, weight_ED: Tensor, bias_E: Tensor | None, down_RD: Tensor, up_ER: Tensor, scale: float
) -> Tensor:
    """Return x (W + scale B A)^T + b, through which gradients flow to x, A (`down`) and B (`up`) alone.

    Under autocast the products are made in its type, as those of `torch.nn.functional.linear` are.
    """
    device = x_ND.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight_ED.dtype
    return _LowRank.apply(x_ND, weight_ED, bias_E, down_RD, up_ER, scale, dtype)  # pyright: ignore[reportReturnType]


class _LowRank(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        x: Tensor,
        weight_ED: Tensor,
        bias_E: Tensor | None,
        down_RD: Tensor,
        up_ER: Tensor,
        scale: float,
        dtype: torch.dtype,
    ) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x_ND = x.to(dtype).reshape(-1, x.shape[-1])
            weight, down, up = weight_ED.to(dtype), down_RD.to(dtype), up_ER.to(dtype)
            thin_NR = (x_ND @ down.T).mul_(scale)
            y_NE = F.linear(x_ND, weight, None if bias_E is None else bias_E.to(dtype)).addmm_(thin_NR, up.T)
        ctx.save_for_backward(x_ND, weight, down, up, thin_NR)
        ctx.scale, ctx.types, ctx.shape = scale, (x.dtype, down_RD.dtype, up_ER.dtype), x.shape
        return y_NE.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x_ND, weight, down, up, thin_NR = ctx.saved_tensors
        of_x, of_down, of_up = ctx.types
        with torch.autocast(x_ND.device.type, enabled=False):
            y_NE = gradients[0].to(weight.dtype).reshape(-1, weight.shape[0])
            back_NR = (y_NE @ up).mul_(ctx.scale)
            x = (y_NE @ weight).addmm_(back_NR, down).to(of_x).view(ctx.shape) if ctx.needs_input_grad[0] else None
            return x, None, None, (back_NR.T @ x_ND).to(of_down), (y_NE.T @ thin_NR).to(of_up), None, None
