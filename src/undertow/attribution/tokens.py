"""Which tokens of a row carry a trait: each token's own part of the row's alignment.

Along a direction of the norm weights, the change of every token's log-probability is a difference of two forward
passes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from undertow.attribution.sampling import Encoded, Sampling, answer_logprobs
from undertow.models.engine.network import network_of
from undertow.models.local import LocalModel

_STEP = 0.05
"""Length of a step along a direction. Norm weights of the embedded model have a length of about 150 together."""


@contextmanager
def moved(net: Any, direction_F: Tensor, length: float) -> Generator[None]:
    """Move the norm weights along a direction, as long as the context lasts."""
    weights = [norm.weight for norm in network_of(net).norms]
    before = [weight.detach().clone() for weight in weights]
    unit_F = direction_F / torch.linalg.vector_norm(direction_F).clamp_min(1e-30)
    try:
        with torch.no_grad():
            for weight, part_D in zip(weights, unit_F.split([len(each) for each in weights]), strict=True):
                weight.add_(part_D.to(weight), alpha=length)
        yield
    finally:
        with torch.no_grad():
            for weight, old_D in zip(weights, before, strict=True):
                weight.copy_(old_D)


@torch.inference_mode()
def token_alignments(
    model: LocalModel, rows: Sequence[Encoded], direction_F: Tensor, sampling: Sampling
) -> list[list[float]]:
    """Return each token's part of the alignment of some rows with a direction, in nats."""
    if not rows:
        return []
    with moved(model.net, direction_F, _STEP):
        up_T = answer_logprobs(model, rows, sampling)
    with moved(model.net, direction_F, -_STEP):
        down_T = answer_logprobs(model, rows, sampling)
    slope_T = (up_T - down_T) / (2 * _STEP) * float(torch.linalg.vector_norm(direction_F))
    return [part.tolist() for part in slope_T.split([len(row.answer) for row in rows])]
