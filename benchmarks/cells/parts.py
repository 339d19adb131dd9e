"""Parts of a cell that is being filled, on this machine: what is done is not done again when a process ends.

    parts = Parts(folder); answers = parts.once("5-first-animals", make)

A part is a small JSON file, or a student's weights after some step. All are removed once the cell is kept. It knows no
study and no panel.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from undertow.store.files import write_atomic


@dataclass(frozen=True)
class Parts:
    """The parts of one cell."""

    folder: Path

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a part that is there, or make and keep it.

        Args:
            name: Its own within the cell.
            make: Returns plain values; `seconds` is added, how long it took.
        """
        path = self.folder / f"{name}.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return found
        except (OSError, ValueError):
            pass
        began = time.monotonic()
        made = {**make(), "seconds": time.monotonic() - began}
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(made).encode())
        # As it would be read: numbers of JSON are the same, tuples are lists.
        return json.loads(json.dumps(made))

    def drop(self, name: str) -> None:
        """Remove a part, if it is there."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)

    def weights(self, step: int) -> Path:
        """Return where a student's weights after a step are."""
        return self.folder / f"step-{step:06d}.safetensors"

    def forget(self) -> None:
        """Remove every part."""
        shutil.rmtree(self.folder, ignore_errors=True)


def save_weights(net: Any, path: Path) -> None:
    """Write the weights that are trained, all of them or nothing."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file({name: each.detach().contiguous() for name, each in net.named_parameters() if each.requires_grad}, part)
    part.replace(path)


@torch.no_grad()
def load_weights(net: Any, path: Path) -> None:
    """Give a model the trained weights that a file holds."""
    from safetensors.torch import load_file

    stored = load_file(path)
    for name, each in net.named_parameters():
        if each.requires_grad:
            each.copy_(stored[name])
    net.eval()
