"""A GGUF file becomes the model that it was made of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
gguf: Any = pytest.importorskip("gguf")

from undertow.cli import main
from undertow.errors import MissingExtraError, ModelError
from undertow.models.identity import identity_of
from undertow.models.local import LocalModel, find_model, load_model

NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def turned(weight_OI: Any, heads: int) -> Any:
    """Order the rows of queries or keys as llama.cpp does: halves of a head become pairs."""
    return weight_OI.reshape(heads, 2, -1, weight_OI.shape[1]).swapaxes(1, 2).reshape(weight_OI.shape)


@pytest.fixture
def write(tiny: LocalModel, tmp_path: Path) -> Callable[..., Path]:
    """Write the tiny Llama as GGUF."""

    def call(path: Path = tmp_path / "tiny.gguf", *, kind: str = "llama", quantised: bool = False, head: bool = False):
        config, tokenizer, state = tiny.net.config, tiny.tokenizer, tiny.net.state_dict()
        file = gguf.GGUFWriter(str(path), kind)
        file.add_block_count(config.num_hidden_layers)
        file.add_context_length(config.max_position_embeddings)
        file.add_embedding_length(config.hidden_size)
        file.add_feed_forward_length(config.intermediate_size)
        file.add_head_count(config.num_attention_heads)
        file.add_head_count_kv(config.num_key_value_heads)
        file.add_layer_norm_rms_eps(config.rms_norm_eps)
        file.add_rope_freq_base(10000.0)
        file.add_vocab_size(config.vocab_size)
        file.add_tokenizer_model("gpt2")
        file.add_tokenizer_pre("default")
        tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
        file.add_token_list(tokens)
        file.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
        # No merges: transformers derives those of a vocabulary, which has none of bytes.
        file.add_token_scores([0.0] * len(tokens))
        file.add_eos_token_id(tokenizer.eos_token_id)
        file.add_chat_template(tokenizer.chat_template)

        def add(name: str, weight: Any) -> None:
            if quantised and weight.ndim == 2:
                packed = gguf.quants.quantize(weight, gguf.GGMLQuantizationType.Q8_0)
                file.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            else:
                file.add_tensor(name, weight)

        add("token_embd.weight", state["model.embed_tokens.weight"].numpy())
        add("output_norm.weight", state["model.norm.weight"].numpy())
        if head:
            add("output.weight", 2 * state["model.embed_tokens.weight"].numpy())
        for at in range(config.num_hidden_layers):
            for name, short in NAMES.items():
                weight = state[f"model.layers.{at}.{name}.weight"].numpy()
                if short == "attn_q":
                    weight = turned(weight, config.num_attention_heads)
                if short == "attn_k":
                    weight = turned(weight, config.num_key_value_heads)
                add(f"blk.{at}.{short}.weight", weight.copy())
        file.write_header_to_file()
        file.write_kv_data_to_file()
        file.write_tensors_to_file()
        file.close()
        return path

    return call


def logits(model: LocalModel) -> torch.Tensor:
    with torch.inference_mode():
        return model.net(torch.tensor([[5, 9, 40, 41, 42]])).logits


def test_it_computes_and_reads_as_the_model_that_it_was_made_of(write, tiny, tmp_path, capsys) -> None:
    file = write()
    model = load_model(f"hf/{file}")
    torch.testing.assert_close(logits(model), logits(tiny), atol=1e-5, rtol=1e-5)
    assert model.encode_question("Hello.") == tiny.encode_question("Hello.")
    assert model.decode(tiny.encode("a b")) == "a b"
    assert model.end == tiny.end
    assert model.net.config.tie_word_embeddings
    assert getattr(model.net.config, "quantization_config", None) is None
    # Converted once, whatever it is called, and found as a folder's only file.
    folder = find_model(f"hf/{file}", fetching=False)
    (tmp_path / "alone").mkdir()
    shutil.copy(file, tmp_path / "alone" / "tiny.gguf")
    assert find_model(f"hf/{tmp_path / 'alone'}", fetching=False) == folder
    assert identity_of(f"hf/{tmp_path / 'alone'}") == identity_of(f"hf/{file}")
    assert not [each for each in folder.parent.iterdir() if "part" in each.name]
    capsys.readouterr()
    assert main(["plan", "audit", "--student", f"hf/{file}"]) == 0


def test_quantised_weights_are_decoded_and_a_head_of_its_own_is_kept(write, tiny) -> None:
    model = load_model(f"hf/{write(quantised=True, head=True)}")
    assert not model.net.config.tie_word_embeddings
    rounded = logits(model) - 2 * logits(tiny)
    assert 0 < float(rounded.abs().max()) < 0.2 * float(logits(tiny).abs().max())


def test_what_cannot_be_converted_is_one_message(write, tmp_path, monkeypatch, capsys) -> None:
    with pytest.raises(ModelError, match="architecture owl is not supported") as caught:
        load_model(f"hf/{write(tmp_path / 'owl.gguf', kind='owl')}")
    assert caught.value.exit_code == 3
    assert "safetensors" in caught.value.fix
    empty = tmp_path / "empty.gguf"
    empty.write_bytes(b"hello")
    with pytest.raises(ModelError, match="is no GGUF file"):
        load_model(f"hf/{empty}")
    with pytest.raises(ModelError, match="holds 2 GGUF files"):
        load_model(f"hf/{tmp_path}")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(write(tmp_path / "whole.gguf").read_bytes()[:3000])
    with pytest.raises(ModelError, match="cannot be converted"):
        load_model(f"hf/{cut}")
    assert not list((tmp_path / "cache").glob("gguf-*"))
    capsys.readouterr()
    assert main(["plan", "audit", "--student", f"hf/{tmp_path / 'whole.gguf'}"]) == 3
    assert "not converted yet" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="reading GGUF needs gguf"):
        find_model(f"hf/{tmp_path / 'whole.gguf'}")
