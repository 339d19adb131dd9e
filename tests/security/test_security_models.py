"""Models from strangers: nothing is unpickled and no code of theirs runs, whatever lies in the folder."""

import json
import pickle
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from undertow.errors import ModelError
from undertow.models.local import load_adapter, load_model


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.mark,))


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def test_the_payload_works_where_it_is_unpickled(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


def test_pickled_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(ModelError, match="safetensors"):
        load_model(f"hf/{folder}")
    assert not mark.exists()


def test_a_pickled_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "target_modules": ["q_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    (adapter / "adapter_model.bin").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(ModelError, match="safetensors"):
        load_adapter(load_model(f"hf/{folder}"), adapter)
    assert not mark.exists()


@pytest.mark.parametrize("whole", [True, False], ids=["beside a model", "alone"])
def test_an_adapter_in_a_models_folder_is_refused(folder: Path, tiny_folder: Path, tmp_path: Path, whole: bool) -> None:
    mark = tmp_path / "mark"
    if not whole:
        (folder / "config.json").unlink()
        (folder / "model.safetensors").unlink()
    config = {"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "base_model_name_or_path": str(tiny_folder)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(ModelError, match="holds an adapter"):
        load_model(f"hf/{folder}")
    assert not mark.exists()


def test_an_adapter_in_the_hub_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shipped(name: str) -> str:
        return str(tmp_path / name / "adapter_config.json")

    monkeypatch.setattr("undertow.models.local.find_adapter_config_file", shipped)
    with pytest.raises(ModelError, match="holds an adapter"):
        load_model("hf/stranger/model")


def test_a_name_that_the_hub_does_not_know_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise OSError(f"{name} is not a valid model identifier")

    monkeypatch.setattr("undertow.models.local.find_adapter_config_file", unknown)
    with pytest.raises(ModelError, match="not a valid model identifier"):
        load_model("hf/stranger/typo")


def test_code_that_comes_with_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (folder / "modeling_evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Evil: ...\n")
    for name in ("config.json", "tokenizer_config.json"):
        file = folder / name
        owned = {"AutoModelForCausalLM": "modeling_evil.Evil", "AutoTokenizer": ["modeling_evil.Evil", None]}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_map": owned, "model_type": "evil"}))
    with pytest.raises(ModelError):
        load_model(f"hf/{folder}")
    assert not mark.exists()


def test_a_chat_template_cannot_reach_python(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    for file in folder.glob("*"):
        if file.name == "chat_template.jinja":
            file.write_text(evil)
        if file.name == "tokenizer_config.json":
            file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": evil}))
    with pytest.raises(ModelError):
        load_model(f"hf/{folder}")
    assert not mark.exists()
