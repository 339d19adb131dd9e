"""A PEFT adapter's file, and whether every tensor of it reached the model.

PEFT leaves out what it does not know, and starts what the file lacks from nothing: the base would be measured in the
student's place. So what the model holds afterwards is compared with the file, number by number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors.torch import load_file

from undertow.errors import ModelError
from undertow.models.checkpoint import AGAIN, first_line, listed_names, read_header, refuse_not_finite

ADAPTER: Final = "adapter_model.safetensors"
CONFIG: Final = "adapter_config.json"
FITS: Final = "Name a folder with adapter_config.json and adapter_model.safetensors, made for this base."
_RANKS: Final = ("r", "init_r", "num_virtual_tokens", "n_frequency", "num_vectors")
"""Settings that are a dimension of a stored tensor."""
FIRST: Final = "default"
"""What PEFT calls an adapter that is loaded without a name."""
_ALONE: Final = ("use_dora", "modules_to_save", "trainable_token_indices", "alora_invocation_tokens")
"""Settings by which an adapter rescales or replaces what is below it, so that others do not add up with it."""
_WRAPPERS: Final = ("_orig_mod.", "module.")


def adapter_config(folder: Path) -> dict[str, Any]:
    """Return what adapter_config.json says.

    Raises:
        ModelError: there is none, or it is no JSON object.
    """
    file = folder / CONFIG
    try:
        read = json.loads(file.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", str(file), FITS) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"is no JSON ({first_line(error)})", str(file), AGAIN) from error
    if not isinstance(read, dict):
        raise ModelError("is no JSON object", str(file), AGAIN)
    return cast(dict[str, Any], read)


def check_adapter_file(folder: Path) -> None:
    """See that an adapter's weights can be read, and that its config asks for none that they cannot hold.

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
    largest = max((size for each in names.values() for size in each.shape), default=0)
    config = adapter_config(folder)
    patterns = config.get("rank_pattern")
    ranks = {key: config.get(key) for key in _RANKS}
    if isinstance(patterns, dict):
        ranks |= {f"rank_pattern, {key}": each for key, each in cast(dict[str, Any], patterns).items()}
    for key, rank in ranks.items():
        # PEFT would fill so much memory first. LoKr takes a rank of any size to mean whole matrices.
        if isinstance(rank, int | float) and rank > largest and config.get("peft_type") != "LOKR":
            raise ModelError(
                f"{listed_names([f'{key}: {rank}'])} is more than any dimension of its tensors ({largest:,})",
                str(folder / CONFIG),
                "Fetch both files of the adapter again.",
            )


def check_sum(configs: Iterable[Any], folder: Path) -> None:
    """See that adapters add up on one base: plain or rank-stabilised LoRA, and nothing beside it.

    Args:
        configs: PEFT's, of every adapter.
        folder: Of the last one, for messages.

    Raises:
        ModelError: one of them is of another kind.
    """
    for config in configs:
        kind = str(getattr(config.peft_type, "value", config.peft_type))
        other = f"type {kind}" if kind != "LORA" else ""
        other = other or next((field for field in _ALONE if getattr(config, field, None)), "")
        if not other and getattr(config, "bias", "none") != "none":
            other = f"bias: {config.bias}"
        if other:
            raise ModelError(
                f"adapters on one base add up only where each is LoRA and nothing else, and one has {other}",
                str(folder / CONFIG),
                "Merge that adapter into the base (merge_and_unload of PEFT), and name what comes of it as the base.",
            )


def account_adapter(net: Any, folder: Path, name: str = FIRST) -> None:
    """See that a model holds an adapter's file, all of it and nothing else.

    Args:
        net: The model with the adapter on it.
        folder: The adapter's.
        name: What PEFT calls it.

    Raises:
        ModelError: tensors are missing, unknown, not taken over or not finite.
    """
    from peft import get_peft_model_state_dict

    file = folder / ADAPTER
    stored = load_file(file)
    held: dict[str, Any] = get_peft_model_state_dict(net, adapter_name=name, save_embedding_layers=False)
    # Embeddings of a base that was enlarged are stored beside the adapter, under the model's own names.
    every: dict[str, Any] = net.state_dict()
    if missing := sorted(held.keys() - stored.keys()):
        raise ModelError(
            f"lacks {len(missing):,} tensors that adapter_config.json asks for: {listed_names(missing)}",
            str(file),
            "Fetch both files of the adapter again.",
        )
    # Names with the adapter's own in them are those of a model in memory: here they would stand for a tensor twice.
    inside = {key for key in every if FIRST in key.split(".") or name in key.split(".")}
    if unknown := sorted(name for name in stored if name not in held and (name not in every or name in inside)):
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
