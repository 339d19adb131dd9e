"""Folders of adapters and checkpoints whose parts the bytes choose, held to what loads them.

A load is right where every tensor of the files is in the model and every tensor of the model is from the files. The
count is made here, from the bytes of the tensors, without Undertow's own.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from tests.tiny_model import make_tiny_model

from undertow.errors import UndertowError
from undertow.models.adapters import ADAPTER
from undertow.models.checkpoint import INDEX, WEIGHTS
from undertow.models.local import LocalModel, load_adapter, load_model, quiet_peft
from undertow.models.support import UnsupportedModelError

_ROOT: Final = Path(tempfile.mkdtemp(prefix="undertow-fuzz-models-"))
_TYPES: Final = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
_ODD: Final = (
    None, 0, 1, -1, 2, 3, 16, 10**9, 10**30, 0.5, -0.5, 1e308, float("nan"), float("inf"), True, False, "", "x", "two",
    "all-linear", "q_proj", "lm_head", ".*", "(", "LORA", "none", "yarn", "silu", "../x", "a:b", "\0", "float16",
    [], [0], [1], ["q_proj"], ["lm_head"], ["norm"], [None], [[0, 1]], {}, {"q_proj": 3}, {"rope_type": "yarn"},
    {"rope_type": "linear", "factor": 2.0}, {"quant_method": "x"},
)  # fmt: skip
_ADAPTER_FIELDS: Final = (
    "r", "lora_alpha", "target_modules", "modules_to_save", "peft_type", "task_type", "use_dora", "use_rslora", "bias",
    "fan_in_fan_out", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern", "init_lora_weights",
    "base_model_name_or_path", "revision", "exclude_modules", "lora_bias", "trainable_token_indices",
    "layer_replication", "lora_dropout", "inference_mode", "auto_mapping", "target_parameters", "peft_version", "owl",
    "loftq_config", "eva_config", "runtime_config", "megatron_config", "use_qalora", "alora_invocation_tokens",
    "feedforward_modules", "ensure_weight_tying",
)  # fmt: skip
_CONFIG_FIELDS: Final = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "max_position_embeddings", "tie_word_embeddings", "hidden_act", "rms_norm_eps", "attention_bias",
    "mlp_bias", "rope_parameters", "rope_scaling", "rope_theta", "model_type", "architectures", "dtype", "torch_dtype",
    "bos_token_id", "eos_token_id", "pad_token_id", "quantization_config", "auto_map", "sliding_window", "layer_types",
    "initializer_range", "pretraining_tp", "use_cache", "transformers_version", "owl", "attention_dropout", "id2label",
    "num_labels", "return_dict", "output_attentions", "is_decoder", "problem_type", "_attn_implementation",
    "base_model_tp_plan", "attn_implementation", "tokenizer_class", "chunk_size_feed_forward", "name_or_path",
)  # fmt: skip
_MODEL_TYPES: Final = ("llama", "qwen2", "qwen3", "mistral", "gemma", "gpt2", "bert", "t5", "mamba", "owl", "")
_PEFT_TYPES: Final = (
    "LORA", "IA3", "LOHA", "LOKR", "OFT", "BOFT", "VERA", "ADALORA", "PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING",
    "LN_TUNING", "XLORA", "HRA", "FOURIERFT", "BONE", "RANDLORA", "TRAINABLE_TOKENS", "ADAPTION_PROMPT", "VBLORA", "",
)  # fmt: skip
_SAFETENSORS: Final = ("F32", "F16", "BF16", "F64", "I64", "I32", "U8", "BOOL", "F8_E4M3", "F4", "C64", "owl", "")


class Choices:
    """What a target's bytes choose, one after the other; those that are used up choose the first."""

    def __init__(self, data: bytes) -> None:
        self._left = iter(data)

    def pick(self, *values: Any) -> Any:
        """Return one of the values."""
        return values[self.below(len(values))]

    def below(self, count: int) -> int:
        """Return a number from 0."""
        return next(self._left, 0) % max(count, 1)

    def rest(self) -> bytes:
        """Return what no choice has used."""
        return bytes(self._left)


class Part:
    """A tensor as a safetensors file has it."""

    def __init__(self, name: str, tensor: torch.Tensor) -> None:
        self.name, self.dtype, self.shape = name, _TYPES[tensor.dtype], list(tensor.shape)
        self.bytes = _bytes(tensor)


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().contiguous().cpu().flatten().view(torch.uint8).numpy().tobytes()


def _digest(tensor: torch.Tensor) -> str:
    # A model may hold a tensor in another type than its file does.
    return hashlib.sha256(f"{tuple(tensor.shape)}".encode() + _bytes(tensor.float())).hexdigest()


def _pack(parts: list[Part], choices: Choices) -> bytes:
    """Return a safetensors file, whose header the bytes may spoil."""
    entries: list[str] = []
    at = 0
    for part in parts:
        place: dict[str, Any] = {
            "dtype": part.dtype, "shape": part.shape, "data_offsets": [at, at + len(part.bytes)],
        }  # fmt: skip
        at += len(part.bytes)
        entries.append(f"{json.dumps(part.name)}: {json.dumps(place)}")
    metadata = choices.pick(
        *['{"format": "pt"}'] * 8, '{"format": "pt", "x": "1"}', '{"format": "tf"}', "{}", '{"a": 1}', ""
    )
    if metadata:
        entries.insert(0, f'"__metadata__": {metadata}')
    head = ("{" + ", ".join(entries) + "}").encode()
    length = len(head) + choices.pick(*[0] * 16, 1, -1, 1000, 1 << 40)
    data = bytearray(length.to_bytes(8, "little") + head + b"".join(part.bytes for part in parts))
    if choices.pick(*[0] * 12, 1):
        spoilt = choices.rest()
        # Triples of place and value, in what says where tensors lie.
        for start in range(0, len(spoilt) - 2, 3):
            data[(spoilt[start] * 256 + spoilt[start + 1]) % (len(head) + 8)] = spoilt[start + 2]
    if choices.pick(*[0] * 15, 1):
        del data[choices.pick(0, 4, 8, 40, len(data) // 2, len(data) - 1) :]
    return bytes(data)


def _change(parts: list[Part], choices: Choices, others: tuple[str, ...]) -> list[Part]:
    """Return tensors some of which are gone, renamed, doubled, of another shape, type or value."""
    parts = [copy.copy(part) for part in parts]
    for _ in range(choices.pick(0, 1, 1, 2, 3, 6)):
        if not parts:
            break
        at = choices.below(len(parts))
        part, what = parts[at], choices.below(9)
        if what == 0:
            del parts[at]
        elif what == 1:
            part.name = _other_name(part.name, choices, others)
        elif what == 2:
            twin = copy.copy(part)
            twin.name = _other_name(part.name, choices, others)
            parts.insert(choices.below(len(parts)), twin)
        elif what == 3:
            part.shape = choices.pick(
                part.shape[::-1], [], [0], [*part.shape, 1], [1, *part.shape], [-1], [10**9, 10**9], [part.shape, 1],
                part.shape[:1], [each * 2 for each in part.shape],
            )  # fmt: skip
        elif what == 4:
            part.dtype = choices.pick(*_SAFETENSORS)
        elif what == 5:
            part.bytes = choices.pick(b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff" * 4) + part.bytes[4:]
        elif what == 6:
            part.bytes = part.bytes[: choices.pick(0, len(part.bytes) // 2, len(part.bytes) - 1)]
        elif what == 7:
            other = parts[choices.below(len(parts))]
            part.name, other.name = other.name, part.name
        else:
            rows = choices.pick(1, 2, 3, 5)
            values = torch.arange(rows * 32, dtype=torch.float32).view(rows, 32) / 7 + at
            parts[at] = Part(part.name, choices.pick(values, values.T.contiguous(), values.half(), values[0]))
    return parts


def _other_name(name: str, choices: Choices, others: tuple[str, ...]) -> str:
    return choices.pick(
        name + "x", "", "_orig_mod." + name, "module." + name, name.replace("q_proj", "k_proj"),
        name.replace("layers.0", "layers.1"), name.replace("layers.0", "layers.7"), name.replace(".weight", ""),
        name.replace("lora_A", "lora_B"), name.replace("lora_A", "lora_A.default"), name.removeprefix("base_model."),
        name.removeprefix("model."), "model." + name, name.upper(), "\0", "\ud7ff", "__metadata__", "a" * 300,
        name.replace("lora_A", "lora_magnitude_vector"), name.replace("lora_A", "lora_embedding_A"),
        name.replace(".lora_A", ".base_layer"), *others,
    )  # fmt: skip


def prepare() -> None:
    """Make the tiny model and its adapters, once a process."""
    _adapters()


def _fields(config: dict[str, Any], choices: Choices, names: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    for _ in range(choices.pick(0, 0, 1, 1, 2, 4)):
        name = choices.pick(*names)
        if choices.pick(0, 0, 0, 1):
            config.pop(name, None)
        elif name in ("model_type", "peft_type"):
            config[name] = choices.pick(*kinds, *_ODD)
        elif isinstance(known := config.get(name), int) and choices.pick(0, 1):
            config[name] = known * choices.pick(1, 2, -1) + choices.pick(0, 1, -1)
        else:
            config[name] = choices.pick(*_ODD)


def _write_json(path: Path, value: Any, choices: Choices) -> None:
    text = json.dumps(value)
    if choices.pick(*[0] * 15, 1):
        text = choices.pick(
            "", "{", "[]", "null", '"a"', "[" * 5000, text[:-1], text + text, "\ufeff" + text, "{}", "3"
        )
    path.write_bytes(text.encode("utf-8", "surrogatepass") + choices.pick(*[b""] * 15, b"\xff"))


@contextmanager
def _own_cache() -> Generator[None]:
    """Keep what is learnt of these models away from the user's cache."""
    before = os.environ.get("UNDERTOW_CACHE")
    os.environ["UNDERTOW_CACHE"] = str(_ROOT / "cache")
    try:
        yield
    finally:
        if before is None:
            del os.environ["UNDERTOW_CACHE"]
        else:
            os.environ["UNDERTOW_CACHE"] = before
        shutil.rmtree(_ROOT / "cache", ignore_errors=True)


@cache
def _base() -> LocalModel:
    with _own_cache():
        return load_model(f"hf/{make_tiny_model(_ROOT / 'base')}")


@cache
def _adapters() -> tuple[tuple[dict[str, Any], list[Part]], ...]:
    """Return whole adapters of several kinds: their configs and tensors."""
    from peft import IA3Config, LoraConfig, PeftConfig, get_peft_model

    def lora(*modules: str, **how: Any) -> PeftConfig:
        return LoraConfig(r=2, target_modules=list(modules), task_type="CAUSAL_LM", init_lora_weights=False, **how)

    configs = [
        lora("q_proj", "v_proj"),
        lora("q_proj", "v_proj", use_dora=True),
        lora("q_proj", "v_proj", modules_to_save=["norm"]),
        lora("q_proj", "v_proj", layers_to_transform=[0], rank_pattern={"q_proj": 3}),
        lora("embed_tokens", "down_proj"),
        IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"),
    ]
    made: list[tuple[dict[str, Any], list[Part]]] = []
    for at, config in enumerate(configs):
        torch.manual_seed(at)
        folder = _ROOT / f"adapter-{at}"
        with quiet_peft():
            get_peft_model(copy.deepcopy(_base().net), config).save_pretrained(str(folder), save_embedding_layers=False)
        stored = load_file(folder / ADAPTER)
        # Every tensor is unlike every other, so that one in another's place is seen.
        parts = [Part(name, each + 0.01 * torch.randn_like(each)) for name, each in sorted(stored.items())]
        made.append((json.loads((folder / "adapter_config.json").read_text()), parts))
    return tuple(made)


def adapter_folder(data: bytes) -> None:
    """An adapter on a tiny model: it is put on whole, or refused."""
    choices = Choices(data)
    folder = _fresh("adapter")
    config, parts = choices.pick(*_adapters())
    config = copy.deepcopy(config)
    base = _base()
    _fields(config, choices, _ADAPTER_FIELDS, _PEFT_TYPES)
    own = tuple(base.net.state_dict())
    parts = _change(parts, choices, tuple(f"base_model.model.{choices.pick(*own)}" for _ in range(2)))
    _write_json(folder / "adapter_config.json", config, choices)
    (folder / ADAPTER).write_bytes(_pack(parts, choices))
    if choices.pick(*[0] * 31, 1):
        (folder / choices.pick(ADAPTER, "adapter_config.json")).unlink()
    with _own_cache():
        try:
            net = load_adapter(_copied(base), folder, base_digest="base").net
        except UndertowError as error:
            _told(error)
            return
    stored = load_file(folder / ADAPTER)
    given, plain = Counter(map(_digest, stored.values())), Counter(map(_digest, base.net.state_dict().values()))
    held = Counter(_digest(each) for each in net.state_dict().values())
    assert not (lost := given - held), f"{lost.total()} tensors of the file are not in the model"
    if config.get("peft_type") == "LORA":
        added = [each for name, each in net.state_dict().items() if ".lora_" in name]
        # An adapter's scale may be empty of numbers of its own; nothing else may come from elsewhere.
        assert not (made_up := Counter(map(_digest, added)) - given), f"{made_up.total()} tensors are from nowhere"
    if not config.get("init_lora_weights") or config["init_lora_weights"] is True:
        assert not (changed := plain - held - given), f"{changed.total()} tensors of the base are lost"


def _copied(model: LocalModel) -> LocalModel:
    return LocalModel(model.name, copy.deepcopy(model.net), model.tokenizer, end=model.end)


def checkpoint_folder(data: bytes) -> None:
    """A model's folder: it is loaded whole, or refused."""
    choices = Choices(data)
    base = _base()
    folder = _fresh("model")
    for file in (_ROOT / "base").iterdir():
        if file.name not in (WEIGHTS, "config.json"):
            shutil.copy(file, folder / file.name)
    config = json.loads((_ROOT / "base" / "config.json").read_text())
    whole = load_file(_ROOT / "base" / WEIGHTS)
    if choices.pick(0, 1):
        config["tie_word_embeddings"] = False
        whole["lm_head.weight"] = whole["model.embed_tokens.weight"] + 1
    _fields(config, choices, _CONFIG_FIELDS, _MODEL_TYPES)
    own = tuple(base.net.state_dict())
    parts = [Part(name, each) for name, each in sorted(whole.items())]
    parts = _change(parts, choices, tuple(choices.pick(*own) for _ in range(2)))
    _write_json(folder / "config.json", config, choices)
    if choices.pick(0, 1):
        _write_shards(folder, parts, choices)
    else:
        (folder / choices.pick(WEIGHTS, WEIGHTS, WEIGHTS, "pytorch_model.bin")).write_bytes(_pack(parts, choices))
    with _own_cache():
        try:
            net = load_model(f"hf/{folder}").net
        except UndertowError as error:
            _told(error)
            return
    stored = {name: each for file in folder.glob("*.safetensors") for name, each in load_file(file).items()}
    given = {_digest(each) for name, each in stored.items() if not name.endswith("rotary_emb.inv_freq")}
    held = {_digest(each) for each in net.state_dict().values()}
    assert not given - held, f"{len(given - held)} tensors of the files are not in the model"
    assert not held - given, f"{len(held - given)} tensors of the model are from nowhere"


def _write_shards(folder: Path, parts: list[Part], choices: Choices) -> None:
    """Write two files and an index, which the bytes may spoil."""
    files: tuple[str, ...] = ("model-1.safetensors", "model-2.safetensors")
    place = {id(part): files[at % 2] for at, part in enumerate(parts)}
    index: dict[str, Any] = {part.name: place[id(part)] for part in parts}
    for _ in range(choices.pick(0, 0, 1, 2)):
        name = choices.pick(*index, "x", "model.norm.weight") if index else "x"
        if choices.pick(0, 1):
            index[name] = choices.pick(*files, "../base/model.safetensors", "gone", "", ".", 3, None, [], "\0")
        else:
            index.pop(name, None)
    for file in files:
        (folder / file).write_bytes(_pack([part for part in parts if place[id(part)] == file], choices))
    listing: dict[str, Any] = {"metadata": choices.pick({"total_size": 1}, {}, [], None), "weight_map": index}
    if choices.pick(0, 0, 0, 1):
        listing = choices.pick({"weight_map": index}, {"weight_map": list(index)}, {"weight_map": None}, {})
    _write_json(folder / INDEX, listing, choices)


def _fresh(name: str) -> Path:
    folder = _ROOT / f"{name}-now"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _told(error: UndertowError) -> None:
    assert str(error)
    assert error.exit_code in (2, 3)
    # The architecture is a fact of the whole folder, and named in the message.
    assert error.where or isinstance(error, UnsupportedModelError), f"no place: {error}"
    assert error.fix, f"no fix: {error}"
    str(error).encode("utf-8", "replace")
