"""A model's weights, lent to somebody who changes them in place, and given back whatever happens.

with lent(model.net.parameters()) as weights:
...  # take steps; they are the old ones again afterwards
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

import torch


@contextmanager
def temporary_weights(parameters: Iterable[torch.nn.Parameter]) -> Generator[list[torch.nn.Parameter]]:
    """Yield weights that gradients flow to, and give them back their values when the context ends.

    They have no gradients afterwards, and want them or not as they did before.
    """
    weights = list(parameters)
    kept = [weight.detach().clone() for weight in weights]
    wanted = [weight.requires_grad for weight in weights]
    try:
        for weight in weights:
            weight.requires_grad_(True)
        yield weights
    finally:
        with torch.no_grad():
            for weight, before, was in zip(weights, kept, wanted, strict=True):
                weight.copy_(before)
                weight.grad = None
                weight.requires_grad_(was)
