"""The traits' directions in the geometry of a recipe, as a step of the run folder.

    lifted = lifted_directions(setup, recipe, rows)
    lifted.lifted_KF        # rows are measured along these

Plain steps on an adapter need no pass: the directions that are in the cache are multiplied. Elsewhere the panel's
questions are asked again, and under AdamW a few batches of the rows are read first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from undertow.attribution.capture import SIDE, projection_of
from undertow.attribution.directions import Directions, find_directions
from undertow.attribution.geometry import STARTS, Geometry, Parts, Place, geometry_of, mean_factor, scale_of, watched
from undertow.attribution.measure import EncodedRows, Setup
from undertow.attribution.preconditioner import BATCHES, preconditioner
from undertow.attribution.rehearsal_plan import trained_by
from undertow.attribution.tier import tier_of
from undertow.config.recipes.spec import RecipeSpec
from undertow.data.sample import row_numbers
from undertow.models.engine.network import network_of
from undertow.models.forward import Hidden
from undertow.models.local import LocalModel
from undertow.training.train import Example
from undertow.traits.panel import Panel

_VERSION = 1
"""Raised when other numbers are made of the same rows, base and recipe."""


@dataclass(frozen=True)
class LiftedRecorder:
    """Collects a lifted and projected gradient, see `undertow.attribution.capture`."""

    parts: list[Tensor]
    """Of norms, then of matrices."""

    def last(self, found: Hidden) -> Tensor:
        """Return the pass' last hidden states."""
        return found.hidden_ND

    def everything(self) -> Tensor:
        """Return what came since the last call, (F)."""
        found_F = torch.cat([part.flatten().cpu() for part in self.parts])
        for part in self.parts:
            part.zero_()
        return found_F


@contextmanager
def lifting(net: Any, geometry: Geometry, factors: Mapping[Place, Parts] | None) -> Generator[LiftedRecorder]:
    """Record lifted gradients as long as the context lasts.

    Args:
        net: The base.
        geometry: What is trained.
        factors: Of the optimiser; None for plain steps.
    """
    network = network_of(net)
    norms, device = len(network.norms), network.embeddings.weight.device
    parts = [torch.zeros(norm.weight.numel(), device=norm.weight.device) for norm in network.norms]
    parts += [torch.zeros(SIDE, SIDE, device=device) for _ in network.matrices]
    projections = {at: projection_of(at, network.matrices[at]) for at in geometry.matrices}

    def take(place: Place, gradient: Tensor) -> None:
        # What no row of the batches moves has no factor, and stays.
        if factors is not None and place not in factors:
            return
        kind, number = place
        step = geometry.lifted(place, gradient, None if factors is None else factors[place])
        if kind == "norm":
            parts[number].add_(step)
        else:
            sides = projections[number]
            parts[norms + number].add_((sides.passed.T @ step @ sides.read).to(device))

    with watched(net, geometry, take):
        yield LiftedRecorder(parts)


def lift(
    model: LocalModel,
    panel: Panel,
    geometry: Geometry,
    factors: Mapping[Place, Parts] | None = None,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """Return a panel's lifted directions (K, F)."""
    return find_directions(
        model, panel, recording=lambda net: lifting(net, geometry, factors), on_progress=on_progress
    ).gradients_KF


def multiplied(net: Any, directions: Directions, recipe: RecipeSpec) -> Tensor:
    """Return directions (K, F) lifted for plain steps on an adapter: the mean over its starts, exact."""
    adapter, network = recipe.adapter, network_of(net)
    assert adapter is not None
    trained = geometry_of(net, recipe).matrices
    factors = [torch.zeros(norm.weight.numel()) for norm in network.norms]
    for at, matrix in enumerate(network.matrices):
        factor = mean_factor(scale_of(adapter), adapter.rank, matrix.inputs) if at in trained else 0.0
        factors.append(torch.full((SIDE * SIDE,), factor))
    return directions.gradients_KF * torch.cat(factors)


def lifted_directions(
    setup: Setup, recipe: RecipeSpec, opened: EncodedRows, on_progress: Callable[[float], None]
) -> Setup:
    """Return a setup whose rows are measured in the geometry of a recipe; the same one for plain steps on all weights.

    Args:
        setup: With the panel's directions in all weights.
        recipe: Of the student.
        opened: The rows, which say how long AdamW's steps are.
        on_progress: Called with the share of the work that is done.
    """
    from safetensors.torch import load_file, save_file

    if tier_of(recipe) == "gradient":
        return setup
    said = recipe.model_dump(mode="json", exclude={"name", "micro_batch"}, exclude_defaults=True)
    key = {**setup.key, "geometry": {"version": _VERSION, "recipe": said}}
    adapter = recipe.adapter
    if recipe.optimiser == "sgd" and adapter is not None and not adapter.dora:
        return _with(setup, key, multiplied(setup.model.net, setup.directions, recipe))
    examples: list[Example] = []
    if recipe.optimiser == "adamw":
        sample = opened.cut(BATCHES * recipe.batch)
        examples = [
            Example(row.prompt, row.answer, weight=row.weight, row=number)
            for row, number in zip(sample.encoded, row_numbers(sample.rows), strict=True)
        ]
        shown = repr([(each.prompt, each.answer, each.weight, each.row) for each in examples])
        key["geometry"] |= {"rows": hashlib.sha256(shown.encode()).hexdigest(), "autocast": setup.precision.autocast}

    def build(part: Path) -> None:
        net = setup.model.net
        if recipe.optimiser == "adamw":
            geometry = geometry_of(net, recipe, starts=STARTS)
            by = trained_by(recipe, autocast=setup.precision.autocast)
            factors = preconditioner(setup.model, examples, by, geometry, seed=recipe.seed)
        else:
            geometry, factors = geometry_of(net, recipe), None
        lifted_KF = lift(setup.model, setup.panel, geometry, factors, on_progress=on_progress)
        save_file({"lifted_KF": lifted_KF.contiguous()}, part / "lifted.safetensors")

    step = setup.folder.step("scan", "lifted-directions", key, build)
    return _with(setup, key, load_file(step / "lifted.safetensors")["lifted_KF"])


def _with(setup: Setup, key: dict[str, Any], lifted_KF: Tensor) -> Setup:
    return replace(setup, key=key, directions=replace(setup.directions, lifted_KF=lifted_KF))
