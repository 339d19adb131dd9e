"""A model's size from its config alone."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from undertow.errors import ModelError
from undertow.models.size import size_of, size_of_config


def test_it_is_what_the_loaded_model_has(tiny, tiny_folder):
    size = size_of(f"hf/{tiny_folder}")
    weights = {id(weight): weight for weight in tiny.net.parameters()}.values()
    assert size.parameters == sum(weight.numel() for weight in weights)
    assert size.embeddings == tiny.net.get_input_embeddings().weight.numel()
    assert size.norms == sum(weight.numel() for weight in weights if weight.dim() == 1)
    assert sum(inputs * outputs for inputs, outputs in size.linear) + size.norms + size.embeddings == size.parameters


def test_no_weight_is_read(tiny_folder, tmp_path):
    (tmp_path / "config.json").write_text((tiny_folder / "config.json").read_text())
    assert size_of(f"hf/{tmp_path}").parameters == size_of(f"hf/{tiny_folder}").parameters


def test_published_sizes_are_met():
    # Meta's 70B and OpenAI's 120b as their model cards count them: 70.6 and 116.8 billion, 5.1 active.
    seventy = transformers.LlamaConfig(
        hidden_size=8192,
        intermediate_size=28672,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        vocab_size=128256,
        dtype="bfloat16",
    )
    assert size_of_config(seventy, "x").parameters == pytest.approx(70.6e9, rel=1e-3)
    assert size_of_config(seventy, "x").stored_bytes == 2
    experts = size_of_config(transformers.GptOssConfig(), "x")
    assert experts.parameters == pytest.approx(116.8e9, rel=1e-3)
    assert experts.active == pytest.approx(5.1e9, rel=1e-2)


def test_a_config_that_makes_no_model_is_one_message():
    odd = transformers.LlamaConfig(vocab_size=-3)
    with pytest.raises(ModelError):
        size_of_config(odd, "hf/odd")
