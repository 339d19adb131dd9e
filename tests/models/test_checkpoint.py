"""Every tensor of a checkpoint or an adapter is accounted for, and what is broken is told with its file and its fix."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file

from tiny_model import make_adapter, make_tiny_model
from undertow.errors import ModelError
from undertow.models.checkpoint import INDEX, WEIGHTS, listed_names
from undertow.models.local import load_model
from undertow.models.verify import largest_difference

Tensors = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


@pytest.fixture
def untied(folder: Path) -> Path:
    """The same model with an output projection of its own."""
    mend_config(folder, tie_word_embeddings=False)
    tensors = load_file(folder / WEIGHTS)
    store(folder, tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()})
    return folder


def mend_config(folder: Path, **fields: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def store(folder: Path, tensors: Tensors) -> None:
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def refused(folder: Path, *said: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(f"hf/{folder}")
    for each in said:
        assert each in str(caught.value)
    assert caught.value.exit_code == 3
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module."])
def test_names_of_a_wrapper_are_refused(folder: Path, prefix: str) -> None:
    store(folder, {prefix + key: each for key, each in load_file(folder / WEIGHTS).items()})
    refused(folder, repr(prefix), WEIGHTS)


@pytest.mark.parametrize("part", ["layers.1.", "norm.weight", "embed_tokens"])
def test_missing_tensors_are_named(folder: Path, part: str) -> None:
    tensors = load_file(folder / WEIGHTS)
    store(folder, {key: each for key, each in tensors.items() if part not in key})
    gone = sorted(key for key in tensors if part in key)
    assert refused(folder, gone[0]).what.startswith("its files lack ")


def test_an_output_projection_is_missing_where_it_is_not_tied(untied: Path) -> None:
    assert load_model(f"hf/{untied}").net is not None
    store(untied, {key: each for key, each in load_file(untied / WEIGHTS).items() if key != "lm_head.weight"})
    refused(untied, "lm_head.weight")


def test_unknown_tensors_are_named(folder: Path) -> None:
    store(folder, load_file(folder / WEIGHTS) | {"model.layers.0.self_attn.sinks": torch.zeros(4)})
    refused(folder, "self_attn.sinks")


def test_what_a_config_gives_may_be_stored_too(folder: Path) -> None:
    store(folder, load_file(folder / WEIGHTS) | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)})
    assert load_model(f"hf/{folder}").end == 1


def test_a_bare_decoder_fills_a_tied_model(folder: Path) -> None:
    store(folder, {key.removeprefix("model."): each for key, each in load_file(folder / WEIGHTS).items()})
    assert load_model(f"hf/{folder}").end == 1


def test_other_shapes_are_named(folder: Path) -> None:
    mend_config(folder, intermediate_size=80)
    refused(folder, "mlp.down_proj.weight [32, 64] for [32, 80]")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"vocab_size": 10**9}, "model.embed_tokens.weight [258, 32] for [1000000000, 32]"),
        ({"num_labels": 10**30}, "num_labels: 1000000000000000000000000000000 is too large"),
        ({"text_config": {"num_labels": 10**9}}, "num_labels: 1000000000 is too large"),
        ({"num_hidden_layers": 10**9}, "asks for 1,000,000,000 layers, and its files hold 20 tensors"),
    ],
)
def test_what_a_config_asks_for_takes_no_memory(folder: Path, fields: dict[str, int], said: str) -> None:
    mend_config(folder, **fields)
    refused(folder, said)


@pytest.mark.parametrize("value", ["x", 0.5, [1], {}])
def test_a_window_that_is_no_number_is_told(folder: Path, value: object) -> None:
    mend_config(folder, sliding_window=value)
    refused(folder, "sliding_window", "no whole number")


def test_pickles_alone_are_no_weights(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    assert refused(folder, "holds no model.safetensors (pytorch_model.bin is not read)").where == str(folder)


@pytest.mark.parametrize(("rows", "fits"), [(200, False), (258, True), (280, True), (300, False), (5000, False)])
def test_a_tokenizer_of_another_model_is_refused(folder: Path, rows: int, fits: bool) -> None:
    tensors = load_file(folder / WEIGHTS)
    weight = tensors["model.embed_tokens.weight"]
    more = torch.zeros(max(0, rows - len(weight)), weight.shape[1])
    store(folder, tensors | {"model.embed_tokens.weight": torch.cat([weight, more])[:rows]})
    mend_config(folder, vocab_size=rows)
    if fits:
        assert load_model(f"hf/{folder}").net is not None
    else:
        refused(folder, "its tokenizer knows 258 tokens", f"{rows:,}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_not_finite_are_named(folder: Path, value: float) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = value
    store(folder, tensors)
    for _ in range(2):  # not only before it is in the cache
        refused(folder, "model.layers.1.mlp.up_proj.weight")


def test_types_that_need_a_scale_are_refused(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    name = "model.layers.0.mlp.up_proj.weight"
    store(folder, tensors | {name: tensors[name].to(torch.float8_e4m3fn)})
    refused(folder, "quantised", name)


def test_a_quantised_model_is_refused_before_it_is_loaded(folder: Path) -> None:
    mend_config(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    refused(folder, "quantised (bitsandbytes)", "config.json")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def pointer(file: Path) -> None:
    file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(cut, "cut short or damaged"), (pointer, "git lfs pull"), (lambda file: file.write_bytes(b""), "is empty")],
    ids=["cut", "pointer", "empty"],
)
def test_damaged_files_are_named(folder: Path, damage: Callable[[Path], object], said: str) -> None:
    damage(folder / WEIGHTS)
    assert refused(folder, said).where == str(folder / WEIGHTS)


def shard(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    index: dict[str, str] = {}
    for at, key in enumerate(sorted(tensors)):
        index[key] = f"model-{at % 2}.safetensors"
    for file in set(index.values()):
        held = {key: each for key, each in tensors.items() if index[key] == file}
        save_file(held, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}))


def test_shards_and_their_index(folder: Path) -> None:
    whole = load_model(f"hf/{folder}").net.state_dict()
    shard(folder)
    parts = load_model(f"hf/{folder}").net.state_dict()
    assert all(torch.equal(each, parts[key]) for key, each in whole.items())
    file = folder / "model-1.safetensors"
    tensors = load_file(file)
    lost = sorted(tensors)[0]
    save_file({key: each for key, each in tensors.items() if key != lost}, file, metadata={"format": "pt"})
    refused(folder, INDEX, lost)
    file.unlink()
    refused(folder, INDEX, "model-1.safetensors")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"model_type": "llama", '),
        ("config.json", '{"model_type": "llama", "num_hidden_layers": "two"}'),
        ("tokenizer.json", '{"version": "1.0", "model":'),
    ],
)
def test_broken_json_is_told(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    assert name.partition(".")[0] in str(refused(folder))


@pytest.mark.parametrize("text", ["{{ messages[0]['content'] + 5 }}<|im_end|>", "{{ nothing + 'a' }}", "{% for"])
def test_a_template_that_raises_is_told(folder: Path, text: str) -> None:
    (folder / "chat_template.jinja").write_text(text)
    refused(folder, "chat template")


def test_many_names_are_counted() -> None:
    assert listed_names("abc") == "a, b, c"
    assert listed_names("abcdef") == "a, b, c and 3 more"


@pytest.fixture
def adapter(tiny_folder: Path, tmp_path: Path) -> Path:
    """A trained adapter, the way PEFT stores it."""
    return make_adapter(tiny_folder, tmp_path / "adapter")


def test_an_adapter_is_taken_over_whole(tiny_folder: Path, adapter: Path) -> None:
    net = load_model(f"hf/{tiny_folder}:{adapter}").net
    held = {key.replace(".default", ""): each for key, each in net.state_dict().items()}
    stored = load_file(adapter / "adapter_model.safetensors")
    assert stored
    assert all(torch.equal(each, held[key]) for key, each in stored.items())


def compiled(tensors: Tensors) -> Tensors:
    return {key.replace("base_model.model.", "base_model.model._orig_mod."): each for key, each in tensors.items()}


def one_less(tensors: Tensors) -> Tensors:
    return dict(sorted(tensors.items())[1:])


def one_more(tensors: Tensors) -> Tensors:
    return tensors | {"base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight": torch.zeros(2, 32)}


def doubled(tensors: Tensors) -> Tensors:
    name = next(key for key in sorted(tensors) if "lora_A" in key)
    return tensors | {name.replace("lora_A", "lora_A.default"): tensors[name].clone()}


def renamed(tensors: Tensors) -> Tensors:
    return {key.replace("self_attn", "attention"): each for key, each in tensors.items()}


def broken(tensors: Tensors) -> Tensors:
    return {key: each * float("nan") for key, each in tensors.items()}


def wider(tensors: Tensors) -> Tensors:
    return {key: torch.zeros(2, 48) if "lora_A" in key else each for key, each in tensors.items()}


@pytest.mark.parametrize("change", [compiled, one_less, one_more, doubled, renamed, broken, wider])
def test_an_adapter_that_does_not_fit_is_refused(
    tiny_folder: Path, adapter: Path, change: Callable[[Tensors], Tensors]
) -> None:
    file = adapter / "adapter_model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    with pytest.raises(ModelError) as caught:
        load_model(f"hf/{tiny_folder}:{adapter}")
    assert str(adapter) in caught.value.where
    assert caught.value.fix


def test_a_damaged_adapter_is_told(tiny_folder: Path, adapter: Path) -> None:
    cut(adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="cut short"):
        load_model(f"hf/{tiny_folder}:{adapter}")


def test_an_adapter_of_the_output_projection_counts(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "base")
    adapter = make_adapter(base, tmp_path / "head", target_modules=["lm_head"])
    net = load_model(f"hf/{base}:{adapter}").net
    assert type(net.get_output_embeddings()) is not torch.nn.Linear
    assert largest_difference(net) < 1e-4
