"""Weight gradients of single rows, projected, from one backward pass that computes no weight gradient.

The gradient of a matrix is a sum over tokens, sum_t d_t x_t'. Here x_t is the layer's input, and d_t the gradient of
its output. The gradient of a norm's weights is a sum of (dL/dy) * x^, where y = w * x^ is the norm's output. An
ordinary forward and backward pass computes both factors, and this module captures them. Norms are kept whole. Matrices
are large, so they are projected on both sides: A' (sum_t d_t x_t') B. A and B are random and keep inner products on
average (LoGra: Choe et al. 2024, arXiv 2405.13954, section 3; with random in place of principal directions).

Which norms and matrices there are is found by looking at the model. What else its layers hold (experts that are stored
as one tensor, routers, biases) is left out; `Network.left_out` names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from undertow.models.engine.network import Matrix, Network, network_of
from undertow.models.engine.selection import pass_of
from undertow.models.fast import readers_of
from undertow.models.forward import Hidden
from undertow.models.packing import Packed

SIDE = 32
"""Random directions on each side of a matrix."""


@dataclass(frozen=True)
class Projection:
    """The two sides of one matrix: (in, SIDE) and (out, SIDE)."""

    read: Tensor
    passed: Tensor


@dataclass
class Captured:
    """What is needed of the pass just made. Letters: N tokens, D width, S segments, F projected gradient, G grid.

    A pass by transformers' modules computes a grid of rows. Its places are the tokens', some of them several times, and
    some of them padding, to which no gradient flows.
    """

    weights: list[Tensor]
    """Of the norms."""
    projections: list[Projection]
    unseen: bool = False
    """Whether the last norm is computed without calling it."""
    norms: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """(G, D), or with heads (G, heads, D): each place's part of the gradient of a norm's weights."""
    read: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """(G, SIDE): what each matrix read, projected."""
    passed: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    """(G, SIDE): gradient of what it put out, projected."""
    grid: Packed | None = None
    """The pack whose grid was computed; None where the pass computed each token once."""
    count: int = 0
    """N."""

    def last(self, found: Hidden) -> Tensor:
        """Take note of what the pass computed; returns its last hidden states, to go on with."""
        self.grid, self.count = found.grid, len(found.hidden_ND)
        if self.unseen:
            # No layer reads its output either.
            self.watch_scaled(len(self.weights) - 1, found.hidden_ND)
        return found.hidden_ND

    def watch_scaled(self, norm: int, output_ND: Tensor) -> None:
        """Catch the gradient of what a norm without an offset puts out."""
        weight_D = self.weights[norm]
        unit_ND = output_ND.detach().float() / torch.where(weight_D == 0, torch.inf, weight_D)
        self.watch_norm(norm, output_ND, unit_ND, output_ND)

    def watch_norm(self, norm: int, given: Tensor, unit: Tensor, output: Tensor) -> None:
        """Catch the gradient of what a norm puts out.

        Args:
            norm: Its number.
            given: What it reads.
            unit: What its weights multiply.
            output: What it puts out.
        """
        turned = _heads_first(given)

        def keep(gradient: Tensor) -> None:
            found = gradient.detach().float() * unit
            self.norms[norm] = found.transpose(1, 2) if turned else found

        output.register_hook(keep)

    def watch_matrix(self, matrix: int, read: Tensor, output: Tensor) -> None:
        """Catch what a matrix reads, and the gradient of what it puts out."""
        projection = self.projections[matrix]
        self.read[matrix] = (read.detach() @ projection.read.to(read.dtype)).float()

        def keep(gradient: Tensor) -> None:
            self.passed[matrix] = (gradient.detach() @ projection.passed.to(gradient.dtype)).float()

        output.register_hook(keep)

    def per_segment(self, segment_N: Tensor, count: int) -> Tensor:
        """Return projected gradients summed over each segment's tokens, shape (S, F): norms first, then matrices."""
        parts = [
            each_ND.new_zeros(count, each_ND.shape[1]).index_add(0, segment_N, each_ND)
            for each_ND in (self._norm(norm) for norm in range(len(self.weights)))
        ]
        order_N = segment_N.argsort(stable=True)
        lengths = torch.bincount(segment_N, minlength=count).tolist()
        for matrix in range(len(self.projections)):
            if matrix not in self.passed:  # the loss does not depend on it
                parts.append(parts[0].new_zeros(count, SIDE * SIDE))
                continue
            passed_ND = self._summed(self.passed[matrix].flatten(0, -2))
            read_ND = self._picked(self.read[matrix].flatten(0, -2))
            passed, read = (each_ND[order_N].split(lengths) for each_ND in (passed_ND, read_ND))
            parts.append(torch.stack([(a.T @ b).flatten() for a, b in zip(passed, read, strict=True)]))
        return torch.cat(parts, dim=1)

    def everything(self) -> Tensor:
        """Return the projected gradient summed over all tokens (F)."""
        device = self.weights[0].device
        return self.per_segment(torch.zeros(self.count, dtype=torch.long, device=device), 1)[0].cpu()

    def _norm(self, norm: int) -> Tensor:
        """Return the gradient of a norm's weights, token by token: of norms inside attention, summed over the heads."""
        if norm not in self.norms:  # the loss does not depend on it
            return self.weights[norm].new_zeros(self.count, len(self.weights[norm]))
        each = self.norms[norm]
        places = self.count if self.grid is None else self.grid.rows_BL.numel()
        return self._summed(each.reshape(places, -1, each.shape[-1]).sum(dim=1))

    def _summed(self, each_GD: Tensor) -> Tensor:
        """Return what flows to each token, from all of its places."""
        if self.grid is None:
            return each_GD
        return each_GD.new_zeros(self.count, each_GD.shape[1]).index_add(0, self.grid.rows_BL.flatten(), each_GD)

    def _picked(self, each_GD: Tensor) -> Tensor:
        """Return what is the same in all places of a token."""
        return each_GD if self.grid is None else each_GD[self.grid.where_N]


def norm_count(net: Any) -> int:
    """Return the number of norm weights, which come first in a projected gradient."""
    return sum(norm.weight.numel() for norm in network_of(net).norms)


@contextmanager
def captured(net: Any) -> Generator[Captured]:
    """Capture, as long as the context lasts, every norm and matrix of the layers; tell what was computed by `last`.

    Weights are frozen meanwhile: gradients flow through the tokens' hidden states alone.
    """
    network = network_of(net)
    projections = [projection_of(at, matrix) for at, matrix in enumerate(network.matrices)]
    trained = [weight for weight in net.parameters() if weight.requires_grad]
    # What reads the output of a norm that the fast pass computes without calling it.
    readers = readers_of(net) if pass_of(net) == "fast" else {}
    weights = [norm.weight.detach().float() for norm in network.norms]
    record = Captured(weights, projections, unseen=network.last_norm in readers)
    with ExitStack() as hooks:
        for weight in trained:
            weight.requires_grad_(False)
        hooks.callback(lambda: [weight.requires_grad_(True) for weight in trained])
        hooks.callback(follow_embeddings(network))
        for norm, module in enumerate(network.norms):
            if module in readers:
                hooks.callback(readers[module].register_forward_pre_hook(_reader_watcher(record, norm)).remove)
            else:
                hooks.callback(module.register_forward_hook(_norm_watcher(record, norm), with_kwargs=True).remove)
        for at, matrix in enumerate(network.matrices):
            hooks.callback(matrix.module.register_forward_hook(_matrix_watcher(record, at)).remove)
        yield record


def follow_embeddings(network: Network) -> Callable[[], None]:
    """Let gradients flow down to what the embeddings put out; returns how to undo it. Else nothing asks for one."""
    return network.embeddings.register_forward_hook(_start).remove


def projection_of(number: int, matrix: Matrix) -> Projection:
    """Draw the random directions of a matrix; its number among the matrices fixes them."""
    source = torch.Generator().manual_seed(0x10C4A + number)
    sides = [torch.randn(size, SIDE, generator=source) for size in (matrix.inputs, matrix.outputs)]
    return Projection(*(side.to(matrix.weight.device) / math.sqrt(SIDE) for side in sides))


def _heads_first(each: Tensor) -> bool:
    """Whether what is normalised inside attention has its heads before its tokens: then it is a turned view."""
    if each.ndim != 4:
        return False
    return each.stride(1) < each.stride(2) or (each.stride(1) == each.stride(2) and each.shape[1] == 1)


def _start(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return output.detach().requires_grad_(True)


def _reader_watcher(record: Captured, norm: int) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        record.watch_scaled(norm, inputs[0])

    return hook


def _norm_watcher(record: Captured, norm: int) -> Any:
    def hook(module: Any, inputs: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> None:
        record.watch_norm(norm, inputs[0], _unit(module, inputs, named), output)

    return hook


@torch.no_grad()
def _unit(module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> Tensor:
    """Return what a norm's weights multiply: whatever the norm is, it is linear in them, up to an offset."""
    own = module.weight.data
    try:
        module.weight.data = torch.ones_like(own)
        ones: Tensor = module.forward(*inputs, **named)
        module.weight.data = torch.zeros_like(own)
        zeros: Tensor = module.forward(*inputs, **named)
    finally:
        module.weight.data = own
    return (ones - zeros).float()


def _matrix_watcher(record: Captured, matrix: int) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        record.watch_matrix(matrix, inputs[0], output)

    return hook
