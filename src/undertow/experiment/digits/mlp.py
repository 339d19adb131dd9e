"""A multilayer perceptron for any number of models at once: every parameter has a leading model dimension.

`params` is a flat list, weight then bias of each layer: weight_MIO (inputs to outputs), bias_M1O. The models
never mix: a batched matrix product treats each on its own, and Adam is elementwise. What a seed draws depends
on the seed alone, so training it beside others changes its result by rounding only. Knows nothing of digits
or teachers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

Params = list[Tensor]


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """Return the random numbers of one seed for one purpose, independent of every other seed and purpose."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *purpose])))


def initial(sizes: Sequence[int], seeds: Sequence[int], purpose: int) -> Params:
    """Draw initial weights: normal with standard deviation 1/sqrt(fan-in), biases zero (the paper's choice).

    Args:
        sizes: Units per layer, inputs first.
        seeds: One model per seed.
        purpose: Distinguishes independent draws of the same seed.
    """
    params: Params = []
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        weight_MIO = np.empty((len(seeds), fan_in, fan_out), np.float32)
        for model, seed in enumerate(seeds):
            stream(seed, purpose, layer).standard_normal(out=weight_MIO[model], dtype=np.float32)
        params += [torch.from_numpy(weight_MIO).div_(fan_in**0.5), torch.zeros(len(seeds), 1, fan_out)]
    return params


def forward(params: Params, x_MBI: Tensor) -> Tensor:
    """Return the logits (M, B, O) of each model on its own batch. ReLU between layers."""
    last = len(params) - 2
    for i in range(0, len(params), 2):
        x_MBI = torch.baddbmm(params[i + 1], x_MBI, params[i])
        if i < last:
            x_MBI = x_MBI.relu()
    return x_MBI


def accuracy(params: Params, x_TI: Tensor, labels_T: Tensor, *, classes: int) -> Tensor:
    """Return each model's share of images whose largest class logit is the label's, shape (M,), float64."""
    with torch.no_grad():
        logits_MTO = forward(params, x_TI.expand(params[0].shape[0], -1, -1))
    return (logits_MTO[..., :classes].argmax(-1) == labels_T).double().mean(-1)


def stack(groups: Sequence[Params]) -> Params:
    """Join groups of models along the model dimension."""
    return [torch.cat(tensors) for tensors in zip(*groups, strict=True)]


def pick(params: Params, start: int, stop: int) -> Params:
    """Return the models from `start` to `stop` (views)."""
    return [tensor[start:stop] for tensor in params]


def trainable(params: Params) -> Params:
    """Copy the parameters into leaves that collect gradients."""
    return [tensor.clone().requires_grad_() for tensor in params]


def frozen(params: Params) -> Params:
    """Return the same values without gradients."""
    return [tensor.detach() for tensor in params]
