"""Where models are put: the processor, a GPU, or several GPUs through accelerate.

    with on_device("cuda:1"):
        model = load_model("hf/FOLDER")

It holds for models that are loaded in the context. Several GPUs were not tested: no machine with two was at hand. What
was tested is accelerate's own way of putting layers elsewhere, with a map that keeps some on the disk.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from undertow.errors import InputError, MissingExtraError, ModelError

try:
    import torch
except ImportError as error:  # pragma: no cover - as in `local`
    raise MissingExtraError("local models need torch", fix="Install it with: pip install 'undertow[local]'") from error

Map = Mapping[str, str | int]
"""Parts of a network by name to devices, as accelerate takes it; the empty name is the whole."""
_NAMES: Final = re.compile(r"auto|cpu|cuda(:\d+)?|balanced")
_placed: ContextVar[str | Map] = ContextVar("undertow_device", default="auto")


@contextmanager
def on_device(device: str | Map) -> Generator[None]:
    """Have models that are loaded in this context put somewhere.

    Args:
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1` and so on, `balanced` (all GPUs, as evenly as
            their memory allows), or a map for accelerate.

    Raises:
        InputError: it is none of these.
        ModelError: there is no such GPU.
    """
    if isinstance(device, str):
        if not _NAMES.fullmatch(device):
            raise InputError(f"is {device!r}", "--device", "Give auto, cpu, cuda, cuda:1 or balanced.")
        _check_gpu(device)
    token = _placed.set(device)
    try:
        yield
    finally:
        _placed.reset(token)


def _check_gpu(device: str) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    wanted = int(device.partition(":")[2] or 0) + 1 if device.startswith("cuda") else int(device == "balanced")
    if count < wanted:
        has = "no GPU that torch can use" if not count else f"{count} GPU{'' if count == 1 else 's'}, numbered from 0"
        raise ModelError(f"this machine has {has}", f"--device {device}", "Leave it out, or name what there is.")


def device_wanted() -> torch.device:
    """Return where models are put here; of a map, where their tokens are read."""
    placed = _placed.get()
    if placed == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if isinstance(placed, str) and placed != "balanced":
        return torch.device(placed)
    # Where a map ends on the processor, torch's choice is its own matter: parts have hooks that move their inputs.
    return torch.device("cuda" if placed == "balanced" else "cpu")


def map_wanted() -> Any:
    """Return the map for accelerate; None where a model is put into one place whole."""
    placed = _placed.get()
    return None if isinstance(placed, str) and placed != "balanced" else placed
