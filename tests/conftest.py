"""A tiny random chat model, so that everything about language models is tested in seconds."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from architectures import make_model
from tiny_model import make_tiny_model


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs but from `-m gpu`: the other tests know the CPU's numbers, and keep their tensors there."""
    chosen = str(config.getoption("markexpr"))
    if "gpu" not in chosen or "not gpu" in chosen:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def architecture_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a tiny model of an architecture, made when it is first asked for."""
    root = tmp_path_factory.mktemp("architectures")
    return cache(lambda name: make_model(name, root / name))


@pytest.fixture
def tiny(tiny_folder: Path):
    from undertow.models.local import load_model

    return load_model(f"hf/{tiny_folder}")


@pytest.fixture
def same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Multiply in float32 on every processor, with a cache of this test's own."""
    import undertow.models.precision as precision

    monkeypatch.setattr(precision, "_CPU_INSTRUCTIONS", {})
    precision.choose_precision.cache_clear()
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    yield
    precision.choose_precision.cache_clear()
