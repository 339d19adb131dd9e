"""One model twice, on the CPU and on a CUDA device: what both compute has to be the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from undertow.models.local import LocalModel, load_model

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """The tiny model on both devices."""

    cpu: LocalModel
    cuda: LocalModel

    def both(self, compute: Callable[[LocalModel], T]) -> tuple[T, T]:
        """Return what a function computes with either."""
        return compute(self.cpu), compute(self.cuda)


@pytest.fixture(autouse=True)
def needs_cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and -m gpu")
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def pair(needs_cuda: None, tiny_folder: Path) -> Pair:
    cpu, cuda = (load_model(f"hf/{tiny_folder}") for _ in range(2))
    assert cuda.device.type == "cuda"
    cpu.net.to("cpu")
    return Pair(cpu, cuda)
