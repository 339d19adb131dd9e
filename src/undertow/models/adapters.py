"""A PEFT adapter's file, and whether every tensor of it reached the model.

PEFT leaves out what it does not know, and starts what the file lacks from nothing: the base would be measured in the
student's place. So what the model holds afterwards is compared with the file, number by number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file

from undertow.errors import ModelError
from undertow.models.checkpoint import listed_names, read_header, refuse_not_finite

ADAPTER: Final = "adapter_model.safetensors"
FITS: Final = "Name a folder with adapter_config.json and adapter_model.safetensors, made for this base."
_WRAPPERS: Final = ("_orig_mod.", "module.")


def check_adapter_file(folder: Path) -> None:
    """See that an adapter's weights can be read.

    Raises:
        ModelError: they cannot.
    """
    if not (folder / ADAPTER).is_file():
        # PEFT would unpickle adapter_model.bin instead.
        raise ModelError(f"holds no {ADAPTER}", str(folder), FITS)
    names = read_header(folder / ADAPTER)
    for wrapper in _WRAPPERS:
        if held := [name for name in names if name.startswith(wrapper) or f".{wrapper}" in name]:
            raise ModelError(
                f"its tensors have names with {wrapper!r} in them: {listed_names(held)}",
                str(folder / ADAPTER),
                "Save the adapter from the model inside the wrapper, or rename the tensors.",
            )


def account_adapter(net: Any, folder: Path) -> None:
    """See that a model holds an adapter's file, all of it and nothing else.

    Args:
        net: The model with the adapter on it.
        folder: The adapter's.

    Raises:
        ModelError: tensors are missing, unknown, not taken over or not finite.
    """
    from peft import get_peft_model_state_dict

    file = folder / ADAPTER
    stored = load_file(file)
    held: dict[str, Any] = get_peft_model_state_dict(net, save_embedding_layers=False)
    # Embeddings of a base that was enlarged are stored beside the adapter, under the model's own names.
    every: dict[str, Any] = net.state_dict()
    if missing := sorted(held.keys() - stored.keys()):
        raise ModelError(
            f"lacks {len(missing):,} tensors that adapter_config.json asks for: {listed_names(missing)}",
            str(file),
            "Fetch both files of the adapter again.",
        )
    if unknown := sorted(name for name in stored if name not in held and name not in every):
        raise ModelError(
            f"holds {len(unknown):,} tensors that find no place in the base: {listed_names(unknown)}",
            str(file),
            FITS,
        )
    refuse_not_finite(sorted(stored.items()), str(file))
    other = sorted(name for name, each in stored.items() if not _equal(each, (every | held)[name]))
    if other:
        raise ModelError(f"was not taken over whole: {listed_names(other)} differ in the model", str(file), FITS)


def _equal(stored: torch.Tensor, held: torch.Tensor) -> bool:
    # The model may hold it in another type.
    return stored.shape == held.shape and torch.equal(stored.to(held.dtype), held.detach().cpu())
