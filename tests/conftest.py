"""A tiny random chat model, so that everything about language models is tested in seconds."""

from pathlib import Path

import pytest

from tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny(tiny_folder: Path):
    from undertow.models.local import load_model

    return load_model(f"hf/{tiny_folder}")
