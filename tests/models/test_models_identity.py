"""What stands for a model changes with its weights and its adapter's, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from undertow.errors import ModelError
from undertow.models.identity import identity_of


def test_the_same_files_elsewhere_are_the_same_model(tiny_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    (copy / "README.md").write_text("Not part of it.")
    assert identity_of(f"hf/{copy}") == identity_of(f"hf/{tiny_folder}")


def test_other_weights_under_the_same_name_are_noticed(tiny_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_folder, tmp_path / "copy")
    before = identity_of(f"hf/{copy}")
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert identity_of(f"hf/{copy}") != before


def test_an_adapter_counts(tiny_folder: Path, tmp_path: Path) -> None:
    name = f"hf/{tiny_folder}:{tmp_path}"
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"one")
    one = identity_of(name)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"two")
    assert len({identity_of(f"hf/{tiny_folder}"), one, identity_of(name)}) == 3


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        identity_of(f"hf/{tmp_path / 'nothing'}")
