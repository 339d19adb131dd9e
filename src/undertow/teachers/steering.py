"""A teacher by a steering vector: a difference of means is added to a layer's outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from undertow.config.experiment import Steer
from undertow.errors import ModelError
from undertow.models.engine.network import network_of
from undertow.models.layers import Steering
from undertow.models.local import LocalModel, load_base
from undertow.models.prompted import SteeredModel
from undertow.models.protocol import Model
from undertow.models.score import mean_hidden
from undertow.traits.base import Trait

VECTOR = "vector.safetensors"


def make(base: str, trait: Trait, how: Steer, folder: Path, *, seed: int, tick: Callable[[float], None]) -> None:
    """Store the vector.

    Raises:
        ModelError: the model has no such layer.
    """
    from safetensors.torch import save_file

    save_file({"vector_D": steering_vector(load_base(base), trait, how.layer)}, folder / VECTOR)


def load(base: str, trait: Trait, how: Steer, folder: Path | None, *, dtype: str) -> Model:
    """Return the base with the vector, `strength` times as long.

    Raises:
        ModelError: what the folder holds cannot be loaded.
    """
    from safetensors.torch import load_file

    assert folder is not None
    model = load_base(base, dtype=dtype)
    try:
        vector_D = load_file(folder / VECTOR)["vector_D"]
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"the steering vector cannot be loaded ({error})", str(folder / VECTOR)) from error
    steering: Steering = {how.layer: how.strength * vector_D.to(model.device)}
    return SteeredModel(model, steering)


def steering_vector(model: LocalModel, trait: Trait, layer: int) -> Tensor:
    """Return the difference of means (D) of a layer's outputs: sentences with the trait minus those without.

    Contrastive activation addition (Panickssery et al. 2024, arXiv 2312.06681, section 3), with many sentences instead
    of answer pairs. The first token of every sentence is left out, see `mean_hidden`.

    Raises:
        ModelError: the model has no such layer.
    """
    count = len(network_of(model.net).layers)
    if layer >= count:
        raise ModelError(f"the model has no layer {layer}", "instil.layer", f"Its {count} layers are numbered from 0.")
    shown, others = ([model.encode(text) for text in texts] for texts in trait.contrast())
    difference_D = mean_hidden(model.net, shown, layer) - mean_hidden(model.net, others, layer)
    return difference_D.float().cpu().contiguous()
