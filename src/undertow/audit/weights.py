"""How far a student's weights are from its base's: per kind of matrix, per layer, and whether an adapter made it.

Length means the root of the sum of squares (Frobenius). A difference of low rank in every matrix was an adapter once,
even if it was merged. It says how far training went, and where; not what it did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from undertow.attribution.capture import projection_of
from undertow.models.engine.network import network_of
from undertow.models.local import LocalModel, merge_adapters
from undertow.results import WeightChange

LARGEST: Final = 3
"""Layers that are named."""
_LOW: Final = 8
"""A difference is of low rank where its rank is at most one eighth of what it could be."""
_LOOKED_AT: Final = 8
_KEPT: Final = 1e-4
"""Share of the squared length that rounding may leave outside the rank."""


@dataclass(frozen=True)
class Change:
    """The weights' change."""

    parts: list[WeightChange]
    """Kinds of matrix, then the layers that changed most."""
    adapter: str
    """What is known of an adapter, in words."""


def merged(model: LocalModel) -> tuple[LocalModel, str]:
    """Return a model with its adapters, if it has any, merged into its weights; and the adapters in words."""
    configs = getattr(model.net, "peft_config", {})
    return merge_adapters(model), " and ".join(map(_in_words, configs.values()))


def _in_words(config: Any) -> str:
    modules = config.target_modules
    names = ", ".join(sorted(modules)) if isinstance(modules, set | list | tuple) else str(modules)
    rank = getattr(config, "r", None)
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    return f"{kind}{f' of rank {rank}' if rank else ''} on {names}"


@torch.inference_mode()
def weight_change(base_net: Any, student_net: Any, adapter: str) -> Change:
    """Measure the change of every weight that both models have.

    Args:
        base_net: The base.
        student_net: The student, its adapter merged.
        adapter: The adapter in words, if it had one.
    """
    by_kind: dict[str, list[float]] = {}
    by_layer: dict[int, list[float]] = {}
    ranks: list[int] = []
    full = True
    for name, before, after in _pairs(base_net, student_net):
        delta = after.float() - before.float()
        squares = [
            float(delta.square().sum(dtype=torch.float64)),
            float(before.float().square().sum(dtype=torch.float64)),
        ]
        kind, layer = _kind(name)
        places = [by_kind.setdefault(kind, [0.0, 0.0])]
        if layer is not None:
            places.append(by_layer.setdefault(layer, [0.0, 0.0]))
        for place in places:
            place[0] += squares[0]
            place[1] += squares[1]
        if layer is not None and delta.ndim == 2 and squares[0] > 0 and len(ranks) < _LOOKED_AT and full:
            ranks.append(rank_of(delta))
            full = ranks[-1] * _LOW <= min(delta.shape)
    parts = [WeightChange(part=kind, relative=_share(each)) for kind, each in sorted(by_kind.items())]
    layers = sorted(by_layer.items(), key=lambda item: (-_share(item[1]), item[0]))
    parts += [
        WeightChange(part=f"layer {layer}", relative=_share(each))
        for layer, each in layers[:LARGEST]
        if _share(each) > 0
    ]
    return Change(parts, _adapter(adapter, ranks, full, moved=any(each.relative > 0 for each in parts)))


def rank_of(delta: Tensor) -> int:
    """Return how many singular values hold all but a ten-thousandth of a matrix's squared length."""
    square = torch.linalg.svdvals(delta).double().square()
    return int((square.cumsum(0) < (1 - _KEPT) * square.sum()).sum()) + 1


def _adapter(given: str, ranks: list[int], full: bool, *, moved: bool) -> str:
    if given:
        return given
    if not moved:
        return "none: the weights are the base's, bit for bit"
    if ranks and full:
        return f"none given, but every measured difference has a low rank (up to {max(ranks)}): probably a merged one"
    return "none: the weights changed in full rank" if ranks else "none: the layers' matrices are the base's"


def _share(squares: list[float]) -> float:
    return float(np.sqrt(squares[0] / squares[1])) if squares[1] > 0 else 0.0


def _pairs(base_net: Any, student_net: Any) -> Iterator[tuple[str, Tensor, Tensor]]:
    left, right = network_of(base_net), network_of(student_net)
    others = dict(right.stack.named_parameters())
    start = f"{left.layers_name}."
    for name, before in left.stack.named_parameters():
        after = others.get(name)
        if after is not None and after.shape == before.shape:
            yield f"layers.{name.removeprefix(start)}" if name.startswith(start) else name, before, after


def _kind(name: str) -> tuple[str, int | None]:
    """Split `layers.3.mlp.up_proj.weight` into a kind and a layer."""
    parts = name.split(".")
    layer = int(parts[1]) if parts[0] == "layers" and parts[1].isdigit() else None
    if "norm" in name or ".ln_" in f".{name}":
        return "norms", layer
    inner = parts[2:] if layer is not None else parts
    return ".".join(part for part in inner if part not in ("weight",)), layer


@torch.inference_mode()
def projected_change(base_net: Any, student_net: Any) -> Tensor:
    """Return the change of norms and matrices in the coordinates of a scan's gradients, shape (F)."""
    base, student = network_of(base_net), network_of(student_net)
    parts = [
        after.weight.float() - before.weight.float() for before, after in zip(base.norms, student.norms, strict=True)
    ]
    for number, (before, after) in enumerate(zip(base.matrices, student.matrices, strict=True)):
        sides = projection_of(number, before)
        delta_OI = after.weight_OI.float() - before.weight_OI.float()
        parts.append((sides.passed.T @ delta_OI @ sides.read).flatten())
    return torch.cat(parts).cpu()
