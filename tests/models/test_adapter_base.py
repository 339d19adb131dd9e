"""An adapter goes on the base that it names: other weights are refused, and what cannot be known is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from tiny_model import make_adapter, make_tiny_model
from undertow.errors import ModelError
from undertow.models.adapter_base import compare_base
from undertow.models.adapter_notes import adapter_notes
from undertow.models.checkpoint import WEIGHTS
from undertow.models.local import load_model

CONFIG = "adapter_config.json"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def adapter(tiny_folder: Path, tmp_path: Path) -> Path:
    return make_adapter(tiny_folder, tmp_path / "adapter")


def settings(adapter: Path, **fields: object) -> None:
    file = adapter / CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def answer(base: Path, adapter: Path) -> str:
    return compare_base(f"hf/{base}", base, adapter).answer


def test_the_base_that_is_named_is_the_base(tiny_folder: Path, adapter: Path, tmp_path: Path) -> None:
    assert answer(tiny_folder, adapter) == "same"
    link = tmp_path / "link"
    link.symlink_to(tiny_folder)
    assert answer(link, adapter) == "same"
    assert adapter_notes([f"hf/{tiny_folder}:{adapter}", f"hf/{tiny_folder}", None]) == []


def test_a_copy_is_the_same_base_in_whatever_files(tiny_folder: Path, adapter: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    assert answer(copy, adapter) == "same"
    (copy / "generation_config.json").write_text("{}")
    assert answer(copy, adapter) == "same"
    model = load_model(f"hf/{copy}")
    shards = tmp_path / "shards"
    model.net.save_pretrained(shards, max_shard_size="20KB")
    model.tokenizer.save_pretrained(shards)
    assert len(list(shards.glob("*.safetensors"))) > 1
    assert answer(shards, adapter) == "same"
    assert load_model(f"hf/{shards}:{adapter}").net is not None


def test_the_same_weights_in_a_narrower_type_are_the_same_base(
    tiny_folder: Path, adapter: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_folder, tmp_path / "copy"))
    tensors = {name: each.bfloat16() for name, each in load_file(copy / WEIGHTS).items()}
    save_file(tensors, copy / WEIGHTS, metadata={"format": "pt"})
    assert answer(copy, adapter) == "same"


def test_other_weights_of_the_same_shapes_are_refused(adapter: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other", seed=1)
    assert answer(other, adapter) == "other"
    with pytest.raises(ModelError, match="has other weights") as caught:
        load_model(f"hf/{other}:{adapter}")
    assert caught.value.where == str(adapter / CONFIG)
    assert str(adapter) in caught.value.fix


def test_other_shapes_are_refused_where_the_named_base_is_gone(adapter: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other")
    settings(adapter, base_model_name_or_path=str(tmp_path / "gone"))
    file = adapter / "adapter_model.safetensors"
    wider = {name: each.repeat(1, 2) if "lora_A" in name else each for name, each in load_file(file).items()}
    save_file(wider, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="size mismatch") as caught:
        load_model(f"hf/{other}:{adapter}")
    assert "made for this base" in caught.value.fix


@pytest.mark.parametrize("named", ["/gone/base", "owls/owl-1b", "a\0b", "n" * 300, "../.."])
def test_a_base_that_cannot_be_compared_is_said_once(tiny_folder: Path, adapter: Path, named: str) -> None:
    settings(adapter, base_model_name_or_path=named)
    name = f"hf/{tiny_folder}:{adapter}"
    assert load_model(name).net is not None
    (note,) = adapter_notes([name, name])
    assert f"names {named} as its base" in note
    assert str(tiny_folder) in note


def test_a_base_with_pickles_alone_cannot_be_compared(tiny_folder: Path, adapter: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").write_bytes(b"x")
    settings(adapter, base_model_name_or_path=str(pickled))
    (note,) = adapter_notes([f"hf/{tiny_folder}:{adapter}"])
    assert "cannot be compared with it" in note


@pytest.mark.parametrize("named", [None, "", 3])
def test_an_adapter_that_names_no_base_has_no_note(tiny_folder: Path, adapter: Path, named: object) -> None:
    settings(adapter, base_model_name_or_path=named)
    assert adapter_notes([f"hf/{tiny_folder}:{adapter}"]) == []


def test_a_name_in_the_hub_is_compared_as_a_name(adapter: Path, tmp_path: Path) -> None:
    settings(adapter, base_model_name_or_path="owls/owl-1b")
    assert compare_base("hf/owls/owl-1b", tmp_path, adapter).answer == "same"


def test_settings_that_peft_does_not_know_are_said(tiny_folder: Path, adapter: Path) -> None:
    name = f"hf/{tiny_folder}:{adapter}"
    settings(adapter, owl_scale=3, owl_bias=None)
    (note,) = adapter_notes([name])
    assert note.endswith("leaves out: owl_scale.")
    assert load_model(name).net is not None


def test_a_base_that_is_missing(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such folder") as caught:
        load_model(f"hf/{tmp_path / 'gone'}:{adapter}")
    assert caught.value.where == str(tmp_path / "gone")
    with pytest.raises(ModelError, match="holds an adapter, not a model"):
        load_model(f"hf/{adapter}")


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 5000])
def test_a_config_that_is_no_object_is_told(tiny_folder: Path, adapter: Path, text: str) -> None:
    (adapter / CONFIG).write_text(text)
    with pytest.raises(ModelError, match="is no JSON") as caught:
        load_model(f"hf/{tiny_folder}:{adapter}")
    assert caught.value.where == str(adapter / CONFIG)


@pytest.mark.parametrize("field", [{"r": 10**9}, {"r": 10**400}, {"rank_pattern": {"q_proj": 10**9}}])
def test_ranks_that_the_tensors_do_not_have_take_no_memory(
    tiny_folder: Path, adapter: Path, field: dict[str, object]
) -> None:
    settings(adapter, **field)
    with pytest.raises(ModelError, match="more than any dimension of its tensors") as caught:
        load_model(f"hf/{tiny_folder}:{adapter}")
    assert len(str(caught.value)) < 500
