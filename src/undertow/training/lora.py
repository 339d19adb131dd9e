"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685), through PEFT.

The seed fixes the initial adapter: two students with the same seed start from the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from undertow.config.experiment import Lora
from undertow.errors import ModelError
from undertow.models.engine.network import network_of
from undertow.models.local import quiet_peft


def add_lora(net: Any, lora: Lora, seed: int) -> Any:
    """Freeze a model and put trainable adapters on every matrix of its layers.

    Args:
        net: A causal language model; it is changed in place.
        lora: Rank, scale (alpha / rank), dropout, and the layers.
        seed: Fixes the initial adapters.

    Raises:
        ModelError: a layer is named that the model does not have.
    """
    from peft import LoraConfig, get_peft_model

    network = network_of(net)
    count = len(network.layers)
    if lora.layers is not None and max(lora.layers) >= count:
        raise ModelError(
            f"the model has no layer {max(lora.layers)}",
            "student.lora.layers",
            f"Its {count} layers are numbered from 0.",
        )
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType]  # PEFT divides it by the rank: a float will do
        lora_dropout=lora.dropout,
        target_modules=network.lora_targets(),
        layers_to_transform=None if lora.layers is None else list(lora.layers),
        fan_in_fan_out=any(matrix.turned for matrix in network.matrices),
        task_type="CAUSAL_LM",
    )
    # PEFT draws the initial adapters from the global generator.
    with quiet_peft(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(net, config)


def save_adapter(net: Any, folder: Path) -> None:
    """Write the adapters of a model in PEFT's layout."""
    net.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    # PEFT adds a model card full of place holders.
    (folder / "README.md").unlink(missing_ok=True)
