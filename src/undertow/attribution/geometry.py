"""What a recipe trains of each matrix, seen from the start, and where a step on it moves the matrix.

A student's first steps follow the gradient in what its recipe trains. An adapter adds scale * B A to a matrix W
(out x in), with B = 0 at its start (Hu et al. 2021, arXiv 2106.09685, section 4.1). There the gradient in A is zero.
That in B is scale * G A', where G is the gradient in W. A step P o (scale * D A') on B, along a trait's gradient D and
with a factor P for each number, moves W by

    lifted D = scale * (P o (scale * D A')) A

A row's part in the trait's shift is the inner product of its G with the lifted D. So rows are measured as ever, and
only the traits' directions change.

For plain steps P is 1. Then the mean over adapter starts is exact: PEFT draws A evenly from -1/sqrt(in) to 1/sqrt(in),
so that the mean of A'A is rank / (3 in) times the identity.

DoRA trains row lengths as well, whose gradient is the row sum of G o U, where U holds W's rows at length 1. It divides
by the length of W + scale * B A, through which no gradient flows. So a step on B turns rows and leaves their lengths:
of the trait's gradient only what is at right angles to W's rows counts there.

It knows no rows, no traits and no optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from undertow.attribution.capture import follow_embeddings
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.models.engine.network import Matrix, Network, network_of

STARTS = 4
"""Draws of an adapter's start that are averaged over, where the mean is not known exactly."""

Place = tuple[Literal["norm", "matrix"], int]
"""A weight, by its number among the norms or the matrices of a network."""
Parts = tuple[Tensor, ...]
"""One number for each number that is trained of a weight."""


@dataclass(frozen=True)
class Trained:
    """What is trained of one matrix. Letters: O outputs, I inputs, S starts, R rank."""

    weight_OI: Tensor
    scale: float | None = None
    """Of an adapter; None where the matrix itself is trained."""
    rank: int = 0
    starts_SRI: Tensor | None = None
    """The adapter's A. Without it only the mean over starts is known."""
    lengths: bool = False
    """Whether row lengths are trained as well."""

    def seen(self, gradient_OI: Tensor) -> Parts:
        """Return the gradient in what is trained."""
        if self.scale is None:
            return (gradient_OI,)
        assert self.starts_SRI is not None
        found_SOR = self.scale * gradient_OI @ self.starts_SRI.mT
        return (found_SOR, (gradient_OI * self._unit_OI).sum(dim=1)) if self.lengths else (found_SOR,)

    def lifted(self, gradient_OI: Tensor, factors: Parts | None = None) -> Tensor:
        """Return the direction along which gradients of rows in the matrix say how far they move a trait.

        Args:
            gradient_OI: The trait's, in the matrix.
            factors: Of each number that is trained; None for 1. They need the starts.
        """
        if self.scale is None:
            return gradient_OI if factors is None else gradient_OI * factors[0].to(gradient_OI.device)
        along_OI: Tensor | float = 0.0
        if self.lengths:
            unit_OI = self._unit_OI
            along_O = (gradient_OI * unit_OI).sum(dim=1)
            gradient_OI = gradient_OI - along_O[:, None] * unit_OI
            along_O = along_O if factors is None else along_O * factors[1].to(along_O.device)
            along_OI = along_O[:, None] * unit_OI
        if self.starts_SRI is None:
            return mean_factor(self.scale, self.rank, gradient_OI.shape[1]) * gradient_OI + along_OI
        step_SOR = self.scale * gradient_OI @ self.starts_SRI.mT
        step_SOR = step_SOR if factors is None else step_SOR * factors[0].to(step_SOR.device)
        return self.scale * (step_SOR @ self.starts_SRI).mean(dim=0) + along_OI

    @property
    def _unit_OI(self) -> Tensor:
        return nn.functional.normalize(self.weight_OI.detach().float(), dim=1)


@dataclass(frozen=True)
class Geometry:
    """What a recipe trains of a network."""

    matrices: Mapping[int, Trained]
    """By number; the others stay as they are."""
    norms: bool
    """Whether norms are trained."""

    def seen(self, place: Place, gradient: Tensor) -> Parts:
        """Return the gradient in what is trained of a weight."""
        kind, number = place
        return (gradient,) if kind == "norm" else self.matrices[number].seen(gradient)

    def lifted(self, place: Place, gradient: Tensor, factors: Parts | None) -> Tensor:
        """Return how a step along the gradient moves a weight."""
        kind, number = place
        if kind == "norm":
            return gradient if factors is None else gradient * factors[0].to(gradient.device)
        return self.matrices[number].lifted(gradient, factors)


def mean_factor(scale: float, rank: int, inputs: int) -> float:
    """Return what plain steps on an adapter multiply a matrix' gradient with, on the mean over its starts."""
    return scale**2 * rank / (3 * inputs)


def scale_of(adapter: AdapterSpec) -> float:
    """Return what an adapter multiplies its product with."""
    return adapter.alpha / (adapter.rank**0.5 if adapter.rank_stabilised else adapter.rank)


def geometry_of(
    net: Any, recipe: RecipeSpec, *, starts: int = 0, drawn: Callable[[int, Matrix], Tensor] | None = None
) -> Geometry:
    """Return what a recipe trains of a network's layers.

    Args:
        net: A causal language model without adapters.
        recipe: Of its student.
        starts: Draws of the adapter's start; none for the mean over all.
        drawn: Gives the starts (S, R, I) of a matrix by its number; drawn like PEFT's when absent.
    """
    network, adapter = network_of(net), recipe.adapter
    if adapter is None:
        return Geometry({at: Trained(matrix.weight_OI) for at, matrix in enumerate(network.matrices)}, norms=True)
    found: dict[int, Trained] = {}
    for at in targeted(network, adapter):
        matrix = network.matrices[at]
        starts_SRI = None
        if drawn is not None:
            starts_SRI = drawn(at, matrix)
        elif starts:
            starts_SRI = _draw(adapter.rank, matrix, [recipe.seed + each for each in range(starts)], at)
        found[at] = Trained(matrix.weight_OI, scale_of(adapter), adapter.rank, starts_SRI, adapter.dora)
    return Geometry(found, norms=False)


def targeted(network: Network, adapter: AdapterSpec) -> list[int]:
    """Return the numbers of the matrices that get an adapter: those that PEFT would put one on."""
    if adapter.targets is None:
        named = {id(matrix.module): "" for matrix in network.matrices}
    else:
        ends = tuple(f".{target}" for target in adapter.targets)
        saved = set(adapter.modules_to_save)
        named = {
            id(module): name
            for name, module in network.net.named_modules()
            if f".{name}".endswith(ends) and not saved & set(name.split("."))
        }
    layers = None if adapter.layers is None else set(adapter.layers)
    return [
        at
        for at, matrix in enumerate(network.matrices)
        if id(matrix.module) in named and (layers is None or matrix.layer in layers)
    ]


def _draw(rank: int, matrix: Matrix, seeds: Sequence[int], at: int) -> Tensor:
    """Draw starts (S, R, I) from the distribution of PEFT's, not its numbers."""
    each: list[Tensor] = []
    for seed in seeds:
        source = torch.Generator().manual_seed(1_000_003 * seed + at)
        each.append(2 * torch.rand(rank, matrix.inputs, generator=source) - 1)
    return torch.stack(each).to(matrix.weight.device) / matrix.inputs**0.5


@contextmanager
def watched(net: Any, geometry: Geometry, take: Callable[[Place, Tensor], None]) -> Generator[None]:
    """Hand over the gradient of every weight that is trained in each backward pass: (O, I), or (D) of a norm.

    No other weight gets a gradient meanwhile, and none keeps one. A matrix' gradient is made of what it reads and of
    the gradient of what it puts out, so that it may be stored in any type.
    """
    network = network_of(net)
    before = [(weight, weight.requires_grad) for weight in net.parameters()]

    def restore() -> None:
        for weight, was in before:
            weight.requires_grad_(was)

    with ExitStack() as hooks:
        hooks.callback(restore)
        for weight, _ in before:
            weight.requires_grad_(False)
        hooks.callback(follow_embeddings(network))
        for at in geometry.matrices:
            module = network.matrices[at].module
            hooks.callback(module.register_forward_hook(_matrix_hook(at, take)).remove)
        for at, norm in enumerate(network.norms if geometry.norms else []):
            norm.weight.requires_grad_(True)
            hooks.callback(norm.weight.register_post_accumulate_grad_hook(_norm_hook(at, take)).remove)
        yield


def _matrix_hook(at: int, take: Callable[[Place, Tensor], None]) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        read = inputs[0].detach()

        def keep(gradient: Tensor) -> None:
            passed_NO, read_NI = (each.detach().flatten(0, -2).float() for each in (gradient, read))
            take(("matrix", at), passed_NO.T @ read_NI)

        output.register_hook(keep)

    return hook


def _norm_hook(at: int, take: Callable[[Place, Tensor], None]) -> Any:
    def hook(weight: Tensor) -> None:
        assert weight.grad is not None
        take(("norm", at), weight.grad.detach().float())
        weight.grad = None

    return hook
