"""Weight gradients of single rows, projected, from one backward pass that computes no weight gradient.

The gradient of a matrix is a sum over tokens, sum_t d_t x_t'. Here x_t is the layer's input, and d_t the gradient of
its output. The gradient of a norm's weights is a sum of (dL/dy) * x^, where y = w * x^ is the norm's output. An
ordinary forward and backward pass computes both factors, and this module captures them. Norms are kept whole. Matrices
are large, so they are projected on both sides: A' (sum_t d_t x_t') B. A and B are random and keep inner products on
average (LoGra: Choe et al. 2024, arXiv 2405.13954, section 3; with random in place of principal directions).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from undertow.models.layers import decoder, norms_of

SIDE = 32
"""Random directions on each side of a matrix."""
MATRICES = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


@dataclass(frozen=True)
class Projection:
    """The two sides of one matrix: (in, SIDE) and (out, SIDE)."""

    read: Tensor
    passed: Tensor


@dataclass
class Captured:
    """What is needed of the pass just made. Letters: N tokens, D width, S segments, F projected gradient."""

    weights_WD: Tensor
    """Of the norms."""
    projections: list[Projection]
    norms: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """(N, D): each token's part of the gradient of a norm's weights."""
    read: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """(N, SIDE): what each matrix read, projected."""
    passed: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """(N, SIDE): gradient of what it put out, projected."""

    def last(self, hidden_ND: Tensor) -> Tensor:
        """Watch the last norm, whose output no layer reads; returns it, to go on with."""
        self.watch_norm(len(self.weights_WD) - 1, hidden_ND)
        return hidden_ND

    def watch_norm(self, norm: int, output_ND: Tensor) -> None:
        """Catch the gradient of what a norm puts out."""
        weight_D = self.weights_WD[norm]
        unit_ND = output_ND.detach().float() / torch.where(weight_D == 0, torch.inf, weight_D)

        def keep(gradient_ND: Tensor) -> None:
            self.norms[norm] = gradient_ND.detach().float() * unit_ND

        output_ND.register_hook(keep)

    def watch_matrix(self, matrix: int, input_ND: Tensor, output_ND: Tensor) -> None:
        """Catch what a matrix reads, and the gradient of what it puts out."""
        projection = self.projections[matrix]
        self.read[matrix] = (input_ND.detach() @ projection.read.to(input_ND.dtype)).float()

        def keep(gradient_ND: Tensor) -> None:
            self.passed[matrix] = (gradient_ND.detach() @ projection.passed.to(gradient_ND.dtype)).float()

        output_ND.register_hook(keep)

    def per_segment(self, segment_N: Tensor, count: int) -> Tensor:
        """Return projected gradients summed over each segment's tokens, shape (S, F): norms first, then matrices."""
        parts = [
            each_ND.new_zeros(count, each_ND.shape[1]).index_add(0, segment_N, each_ND)
            for each_ND in (self.norms[norm] for norm in range(len(self.weights_WD)))
        ]
        order_N = segment_N.argsort(stable=True)
        lengths = torch.bincount(segment_N, minlength=count).tolist()
        for matrix in range(len(self.projections)):
            passed, read = (each[matrix][order_N].split(lengths) for each in (self.passed, self.read))
            parts.append(torch.stack([(a.T @ b).flatten() for a, b in zip(passed, read, strict=True)]))
        return torch.cat(parts, dim=1)


def norm_count(net: Any) -> int:
    """Return the number of norm weights, which come first in a projected gradient."""
    return sum(norm.weight.numel() for norm in norms_of(net))


@contextmanager
def captured(net: Any) -> Generator[Captured]:
    """Capture, as long as the context lasts, every norm and matrix of the layers; the last norm by `Captured.last`.

    Weights are frozen meanwhile: gradients flow through the tokens' hidden states alone.
    """
    stack = decoder(net)
    weights_WD = torch.stack([norm.weight.detach().float() for norm in norms_of(net)])
    matrices = list(_matrices(stack))
    record = Captured(weights_WD, [projection_of(at, module) for at, module in enumerate(matrices)])
    trained = [weight for weight in net.parameters() if weight.requires_grad]
    with ExitStack() as hooks:
        for weight in trained:
            weight.requires_grad_(False)
        hooks.callback(lambda: [weight.requires_grad_(True) for weight in trained])
        # Something at the bottom must ask for a gradient, or there would be no backward pass.
        hooks.callback(stack.embed_tokens.register_forward_hook(_start).remove)
        readers = [module for layer in stack.layers for module in (layer.self_attn.q_proj, layer.mlp.gate_proj)]
        for norm, module in enumerate(readers):
            hooks.callback(module.register_forward_pre_hook(_norm_watcher(record, norm)).remove)
        for matrix, module in enumerate(matrices):
            hooks.callback(module.register_forward_hook(_matrix_watcher(record, matrix)).remove)
        yield record


def _matrices(stack: Any) -> Iterator[nn.Linear]:
    for layer in stack.layers:
        for name in MATRICES:
            yield layer.get_submodule(name)


def projection_of(matrix: int, module: nn.Linear) -> Projection:
    """Draw the random directions of a matrix; its number among the matrices fixes them."""
    source = torch.Generator().manual_seed(0x10C4A + matrix)
    sides = [torch.randn(size, SIDE, generator=source) for size in (module.in_features, module.out_features)]
    return Projection(*(side.to(module.weight.device) / math.sqrt(SIDE) for side in sides))


def _start(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return output.detach().requires_grad_(True)


def _norm_watcher(record: Captured, norm: int) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        record.watch_norm(norm, inputs[0])

    return hook


def _matrix_watcher(record: Captured, matrix: int) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        record.watch_matrix(matrix, inputs[0], output)

    return hook
