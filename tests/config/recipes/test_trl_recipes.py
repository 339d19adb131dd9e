"""Files for TRL, as people have them: what is read, and which are refused."""

import json
from pathlib import Path

import pytest

from undertow.config.recipes.found import RecipeFile
from undertow.config.recipes.load import load_recipe
from undertow.errors import SpecError

LORA = """\
# trl sft --config lora.yaml
model_name_or_path: Qwen/Qwen3-0.6B
dataset_name: trl-lib/Capybara
output_dir: out
learning_rate: 2.0e-4
num_train_epochs: 1
packing: true
max_length: 2048
per_device_train_batch_size: 2
gradient_accumulation_steps: 8
gradient_checkpointing: true
eos_token: <|im_end|>
eval_strategy: steps
eval_steps: 100
lr_scheduler_type: cosine
warmup_ratio: 0.03
use_peft: true
lora_r: 32
lora_alpha: 16
lora_target_modules: all-linear
assistant_only_loss: true
report_to: none
"""
FULL = """\
model_name_or_path: HuggingFaceTB/SmolLM2-135M
dataset_name: rows
completion_only_loss: false
bf16: false
max_grad_norm: 0
optim: sgd
optim_args: momentum=0.9
learning_rate: "3e-3"
lr_scheduler_type: constant_with_warmup
warmup_steps: 10
max_steps: 200
num_train_epochs: 3
"""


def names(keys: object) -> set[str]:
    assert isinstance(keys, tuple)
    return {key.name for key in keys}


def refused(text: str | Path) -> str:
    with pytest.raises(SpecError) as error:
        load_recipe(text)
    return str(error.value)


def test_a_file_of_lora_for_the_command() -> None:
    found = load_recipe(LORA)
    spec = found.spec
    assert found.kind == "trl"
    assert (spec.learning_rate, spec.epochs, spec.batch, spec.micro_batch) == (2e-4, 1, 16, 2)
    assert (spec.schedule, spec.warmup_ratio, spec.packing, spec.most_tokens) == ("cosine", 0.03, True, 2048)
    assert (spec.loss, spec.dtype, spec.optimiser, spec.clip) == ("answers", "bfloat16", "adamw", 1.0)
    assert spec.adapter is not None
    assert (spec.adapter.rank, spec.adapter.alpha, spec.adapter.dropout) == (32, 16, 0.05)
    assert spec.adapter.targets is None
    assert names(found.not_modelled) == {"eos_token"}
    assert not found.unknown
    assert next(key.line for key in found.taken if key.name == "lora_r") == 18


def test_a_file_that_trains_all_weights_by_momentum() -> None:
    spec = load_recipe(FULL).spec
    assert (spec.optimiser, spec.momentum, spec.learning_rate, spec.clip) == ("sgd", 0.9, 3e-3, None)
    assert (spec.schedule, spec.warmup_steps, spec.most_steps) == ("constant", 10, 200)
    assert (spec.loss, spec.dtype, spec.adapter) == ("whole", "float32", None)
    assert "max_steps = 200 takes the place of num_train_epochs = 3." in load_recipe(FULL).notes


def arguments(folder: Path, **changed: object) -> Path:
    """Write the arguments of a trainer as JSON, as `TrainingArguments.to_dict` has them."""
    kept: dict[str, object] = {
        "output_dir": "out",
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "learning_rate": 2e-05,
        "num_train_epochs": 3.0,
        "max_steps": -1,
        "lr_scheduler_type": "linear",
        "lr_scheduler_kwargs": None,
        "warmup_steps": 0,
        "warmup_ratio": 0.0,
        "optim": "adamw_torch_fused",
        "adam_beta2": 0.95,
        "label_smoothing_factor": 0.0,
        "neftune_noise_alpha": None,
        "bf16": True,
        "fp16": False,
        "seed": 7,
        "max_length": None,
        "dataset_text_field": "text",
        "completion_only_loss": True,
        "push_to_hub_token": "<PUSH_TO_HUB_TOKEN>",
    }
    path = folder / "training_args.json"
    path.write_text(json.dumps(kept | changed), "utf-8")
    return path


ADAPTER = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "base_model_name_or_path": "Qwen/Qwen3-0.6B",
    "r": 8,
    "lora_alpha": 8,
    "lora_dropout": 0.0,
    "bias": "none",
    "target_modules": ["q_proj", "v_proj", "down_proj"],
    "layers_to_transform": [0, 1, 2],
    "use_rslora": True,
    "use_dora": False,
    "modules_to_save": None,
    "init_lora_weights": True,
    "rank_pattern": {},
    "alpha_pattern": {"q_proj": 16},
    "inference_mode": True,
}


def test_arguments_as_json_with_the_adapter_beside_them(tmp_path: Path) -> None:
    path = arguments(tmp_path)
    alone = load_recipe(path)
    (tmp_path / "adapter_config.json").write_text(json.dumps(ADAPTER), "utf-8")
    found = load_recipe(path)
    assert (alone.spec.adapter, alone.spec.most_tokens, alone.spec.loss) == (None, None, "answers")
    assert not alone.not_modelled
    assert alone.digest != found.digest
    assert (found.spec.seed, found.spec.betas) == (7, (0.9, 0.95))
    adapter = found.spec.adapter
    assert adapter is not None
    assert (adapter.rank, adapter.alpha, adapter.targets) == (8, 8, ("q_proj", "v_proj", "down_proj"))
    assert (adapter.layers, adapter.rank_stabilised) == ((0, 1, 2), True)
    assert names(found.not_modelled) == {"adapter_config.json: alpha_pattern"}
    assert any("adapter_config.json" in note for note in found.notes)


def test_an_adapter_beside_is_not_read_where_the_file_wants_none(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(ADAPTER), "utf-8")
    found = load_recipe(arguments(tmp_path, use_peft=False))
    assert found.spec.adapter is None
    assert any("not read" in note for note in found.notes)
    said = refused(arguments(tmp_path, use_peft=True, lora_r=64))
    assert "lora_r" in said
    assert "peft.r" in said or "adapter_config.json: r" in said


def test_a_nested_file_and_peft_alone(tmp_path: Path) -> None:
    text = "training_args:\n  learning_rate: 1e-4\n  max_steps: 10\npeft_config:\n  r: 4\n  lora_alpha: 12\n"
    nested = load_recipe(text).spec
    assert nested.adapter is not None
    assert (nested.learning_rate, nested.most_steps, nested.adapter.rank, nested.adapter.alpha) == (1e-4, 10, 4, 12)
    assert nested.adapter.targets == ("q_proj", "v_proj")
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(ADAPTER), "utf-8")
    alone = load_recipe(path)
    assert alone.spec.adapter is not None
    assert (alone.spec.adapter.rank, alone.spec.learning_rate) == (8, 2e-5)


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("use_peft: true\nload_in_4bit: true\nload_in_8bit: true", ("load_in_4bit", "load_in_8bit", "line 2")),
        ("dataset_name: a\nload_in_4bit: true", ("load_in_4bit", "use_peft", "line 2")),
        ("warmup_steps: 5\nwarmup_ratio: 0.1\nmax_length: 8", ("warmup_steps", "warmup_ratio", "line 1")),
        ("use_peft: true\nuse_dora: true\nload_in_4bit: true", ("use_dora", "load_in_4bit", "line 2")),
        ("packing: true\nmax_length:", ("packing", "max_length", "line 1")),
        ("completion_only_loss: true\ndataset_text_field: body", ("completion_only_loss", "dataset_text_field")),
        ("max_length: 8\nbf16: true\nfp16: true", ("bf16", "fp16", "line 2")),
        ("max_length: 8\nmax_seq_length: 9", ("max_length", "max_seq_length")),
        ("max_length: 8\nlora_r: 4", ("lora_r", "use_peft", "line 2")),
        ("max_length: 8\nlearning_rate: fast", ("learning_rate", "must be a number", "line 2")),
        ("max_length: 8\nlearning_rate: .nan", ("learning_rate", "must be a number", "line 2")),
        ("max_length: 8\nnum_train_epochs: 0", ("num_train_epochs", "line 2")),
        ("max_length: 8\nadam_beta2: 1.5", ("adam_beta2", "betas", "line 2")),
        ("use_peft: true\nlora_r: 0", ("lora_r", "adapter.rank", "line 2")),
        ("max_length: 8\npacking: perhaps", ("packing", "true or false")),
        ("max_length: 8\ngradient_accumulation_steps: 1.5", ("gradient_accumulation_steps", "whole number")),
        ("max_length: 8\nseed: 1\ntraining_args: {seed: 2}", ("training_args.seed", "line 3")),
    ],
)
def test_contradictions_and_wrong_values_name_their_keys(lines: str, keys: tuple[str, ...]) -> None:
    said = refused(lines + "\n")
    for key in keys:
        assert key in said


def test_what_stands_in_is_said() -> None:
    found = load_recipe(
        "max_length: 8\noptim: adafactor\nlr_scheduler_type: inverse_sqrt\nloss_type: dft\nhub_token: x\n"
    )
    assert (found.spec.optimiser, found.spec.schedule) == ("adamw", "linear")
    assert names(found.not_modelled) == {"optim", "lr_scheduler_type", "loss_type"}
    assert all(key.says for key in found.not_modelled if key.name != "loss_type")


def test_a_cosine_that_ends_above_zero_and_a_share_as_steps() -> None:
    text = "max_length: 8\nlearning_rate: 1e-4\nlr_scheduler_type: cosine_with_min_lr\nwarmup_steps: 0.1\n"
    by_rate = load_recipe(text + "lr_scheduler_kwargs: {min_lr: 1e-5}\n").spec
    by_share = load_recipe(text + "lr_scheduler_kwargs: {min_lr_rate: 0.1}\n").spec
    assert by_rate.lowest_rate == pytest.approx(by_share.lowest_rate) == pytest.approx(0.1)
    assert (by_share.warmup_steps, by_share.warmup_ratio) == (0, 0.1)


@pytest.mark.parametrize("devices", [1, 4])
def test_every_device_adds_its_rows(devices: int) -> None:
    found: RecipeFile = load_recipe(LORA, devices=devices)
    assert found.spec.batch == 16 * devices
    assert any("One device" in note for note in found.notes) == (devices == 1)


def test_the_defaults_are_those_of_the_installed_transformers_and_peft() -> None:
    """Where the libraries are there, as in development, what the docstrings say of defaults is compared with them."""
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")
    from dataclasses import fields

    theirs = {each.name: each.default for each in fields(transformers.TrainingArguments)}
    spec = load_recipe("max_length: 8\n").spec
    assert spec.batch == theirs["per_device_train_batch_size"]
    assert spec.epochs == theirs["num_train_epochs"]
    assert spec.betas == (theirs["adam_beta1"], theirs["adam_beta2"])
    assert (spec.epsilon, spec.clip, spec.seed) == (theirs["adam_epsilon"], theirs["max_grad_norm"], theirs["seed"])
    assert (spec.schedule, spec.weight_decay) == (theirs["lr_scheduler_type"], theirs["weight_decay"])
    lora = {each.name: each.default for each in fields(peft.LoraConfig)}
    adapter = load_recipe("peft_config: {target_modules: [q_proj], peft_type: LORA}\n").spec.adapter
    assert adapter is not None
    assert (adapter.rank, adapter.alpha, adapter.dropout) == (lora["r"], lora["lora_alpha"], lora["lora_dropout"])


def test_every_argument_of_the_installed_libraries_is_known() -> None:
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")
    from dataclasses import fields

    found = load_recipe(
        json.dumps(
            {each.name: None for each in fields(transformers.TrainingArguments)}
            | {"peft_config": {each.name: None for each in fields(peft.LoraConfig)}}
        )
    )
    assert not found.unknown
    assert not found.not_modelled


def test_the_arguments_of_the_installed_trl_as_json_are_its_defaults(tmp_path: Path) -> None:
    trl = pytest.importorskip("trl", reason="TRL belongs to the group `bench`")
    path = tmp_path / "sft.json"
    path.write_text(json.dumps(trl.SFTConfig(output_dir="out", use_cpu=True).to_dict(), default=str), "utf-8")
    found = load_recipe(path)
    assert found.spec == load_recipe("learning_rate: 2e-5\nnum_train_epochs: 3\n").spec.model_copy(
        update={"name": "sft"}
    )
    assert not found.not_modelled
    assert not found.unknown


DPO = """\
model_name_or_path: Qwen/Qwen3-0.6B
dataset_name: trl-lib/ultrafeedback_binarized
output_dir: out
max_length: 512
beta: 0.2
label_smoothing: 0.0
f_divergence_type: reverse_kl
precompute_ref_log_probs: true
use_peft: true
lora_r: 32
"""


def test_a_file_for_dpo_has_its_loss_its_rate_and_no_dropout() -> None:
    found = load_recipe(DPO)
    spec = found.spec
    assert (found.kind, spec.loss, spec.beta, spec.learning_rate) == ("trl", "dpo", 0.2, 1e-6)
    assert spec.adapter is not None
    assert spec.adapter.dropout == 0
    assert {"beta"} <= names(found.taken)
    assert not names(found.not_modelled)
    assert not names(found.unknown)
    assert any("dropout" in note for note in found.notes)
    kept = load_recipe(DPO + "disable_dropout: false\n").spec.adapter
    assert kept is not None
    assert kept.dropout == 0.05


@pytest.mark.parametrize("kind", ["sigmoid", "[sigmoid]"])
def test_the_kind_of_loss_alone_makes_a_file_one_of_dpo(kind: str) -> None:
    spec = load_recipe(f"max_length: 64\nloss_type: {kind}\n").spec
    assert (spec.loss, spec.beta) == ("dpo", 0.1)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("loss_type: ipo\nbeta: 0.1", {"loss_type", "beta"}),
        ("loss_type: [sigmoid, sft]\nbeta: 0.1", {"loss_type", "beta"}),
        ("beta: 0.0", {"beta"}),
        ("beta: 0.04\nnum_generations: 8", {"beta"}),
        ("disable_dropout: true", {"disable_dropout"}),
        ("loss_type: nll", set()),
    ],
)
def test_other_losses_and_other_betas_are_told_and_answers_learned(text: str, left: set[str]) -> None:
    found = load_recipe(f"max_length: 64\n{text}\n")
    assert found.spec.loss == "answers"
    assert names(found.not_modelled) == left
    assert "beta" not in found.spec.model_dump()
