"""Was an adapter made for the base that it is put on? Asked of what adapter_config.json names, and of the weights.

compare_base("hf/base", Path("base"), Path("adapter")).answer

It does not know a base that is not on this machine: there the answer is "unknown".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open

from undertow.errors import ModelError
from undertow.models.adapters import CONFIG, adapter_config
from undertow.models.checkpoint import Stored, stored_tensors
from undertow.models.digests import folder_digest
from undertow.system.names import is_folder


@dataclass(frozen=True)
class Compared:
    """The base that an adapter names beside the one that it is put on."""

    named: str
    """As adapter_config.json has it; empty where it names none."""
    found: Path | None
    """Where the named base lies on this machine."""
    answer: Literal["same", "other", "unknown"]


def refuse_other_base(base: str, source: Path, adapter: Path) -> None:
    """See that an adapter is not put on weights that are known to be others than those it was made for.

    Args:
        base: The base's Undertow name.
        source: Where it lies.
        adapter: The adapter's folder.

    Raises:
        ModelError: it is.
    """
    found = compare_base(base, source, adapter)
    if found.answer == "other":
        raise ModelError(
            f"names the base {found.named}, and {base} has other weights",
            str(adapter / CONFIG),
            f"Put it on the base that it was made for: hf/{found.named}:{adapter}",
        )


def compare_base(base: str, source: Path, adapter: Path) -> Compared:
    """Compare the base that an adapter names with the one that it is put on.

    Args:
        base: The Undertow name of the one that it is put on.
        source: Where that one lies.
        adapter: The adapter's folder.

    Raises:
        ModelError: the adapter's config cannot be read.
    """
    named = adapter_config(adapter).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        return Compared("", None, "unknown")
    if base == f"hf/{named}":
        return Compared(named, source, "same")
    found = _folder_of(named)
    if found is None:
        return Compared(named, None, "unknown")
    if found.samefile(source):
        return Compared(named, found, "same")
    digests = folder_digest(found), folder_digest(source)
    same = digests[0] == digests[1] or _same_weights(found, source, *digests)
    return Compared(named, found, "unknown" if same is None else "same" if same else "other")


def _folder_of(named: str) -> Path | None:
    """Return where a base lies, a name in the hub in its cache; None if it is not on this machine."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if is_folder(named):
        return Path(named)
    try:
        found = try_to_load_from_cache(named, "config.json")
    except (HFValidationError, OSError, ValueError):
        return None
    return Path(found).parent if isinstance(found, str) else None


@lru_cache(maxsize=16)
def _same_weights(one: Path, other: Path, *_digests: str) -> bool | None:
    """Return whether two folders hold the same tensors, in whatever files; None where that cannot be decided."""
    try:
        left, right = stored_tensors(one), stored_tensors(other)
    except ModelError:
        return None
    both = sorted(left.keys() & right.keys())
    if any(left[name].shape != right[name].shape for name in both):
        return False
    if not all(_equal(_read(left[name], name), _read(right[name], name)) for name in both):
        return False
    return True if both and left.keys() == right.keys() else None


def _read(stored: Stored, name: str) -> torch.Tensor:
    opened_file: Any = safe_open(stored.file, framework="pt")
    with opened_file as tensors:
        return tensors.get_tensor(name)


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    # One may have been saved in a narrower type.
    return torch.equal(one, other.to(one.dtype)) or torch.equal(one.to(other.dtype), other)
