"""A model's weights, lent to somebody who changes them in place, and given back whatever happens.

with temporary_weights(model.net.parameters()) as weights:
...  # take steps; they are the old ones again afterwards

Meanwhile their values lie in a file without a name, so that memory holds them once. The system removes it, even when
the process is killed.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from undertow.assets.cache import cache_dir
from undertow.errors import StoreError


@contextmanager
def temporary_weights(parameters: Iterable[torch.nn.Parameter]) -> Generator[list[torch.nn.Parameter]]:
    """Yield weights that gradients flow to, and give them back their values when the context ends.

    They have no gradients afterwards, and want them or not as they did before.

    Raises:
        StoreError: there is no room for them in the cache folder.
    """
    weights = list(parameters)
    wanted = [weight.requires_grad for weight in weights]
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed below
        for weight in weights:
            kept.write(_view(_bytes(weight)))
        kept.flush()
    except OSError as error:
        raise StoreError(
            f"the weights cannot be kept while a student is made of them ({error.strerror})",
            str(folder),
            "Make room there, or set UNDERTOW_CACHE to another folder.",
        ) from error
    with kept:
        try:
            for weight in weights:
                weight.requires_grad_(True)
            yield weights
        finally:
            kept.seek(0)
            with torch.no_grad():
                for weight, was in zip(weights, wanted, strict=True):
                    _restore(weight, kept)
                    weight.grad = None
                    weight.requires_grad_(was)


def _bytes(weight: Tensor) -> Tensor:
    return weight.detach().cpu().contiguous().flatten().view(torch.uint8)


def _view(bytes_N: Tensor) -> memoryview:
    array: Any = bytes_N.numpy()
    return memoryview(array)


def _restore(weight: Tensor, kept: io.BufferedRandom) -> None:
    held = torch.empty(weight.numel() * weight.element_size(), dtype=torch.uint8)
    view = _view(held)
    if kept.readinto(view) != len(view):
        raise StoreError("the weights that were kept there are cut short", str(cache_dir()), "Start again.")
    weight.copy_(held.view(weight.dtype).view(weight.shape))
