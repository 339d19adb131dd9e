"""Axolotl's YAML, as people have it: what is read, and which are refused."""

import pytest

from undertow.config.recipes.load import load_recipe
from undertow.errors import SpecError

LORA = """\
base_model: NousResearch/Llama-3.2-1B
load_in_8bit: false
load_in_4bit: false
datasets:
  - path: rows.jsonl
    type: alpaca
dataset_prepared_path: last_run_prepared
val_set_size: 0.1
output_dir: ./outputs/lora-out
adapter: lora
lora_model_dir:
sequence_len: 2048
sample_packing: true
eval_sample_packing: true
pad_to_sequence_len: true
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules:
  - gate_proj
  - q_proj
wandb_project:
gradient_accumulation_steps: 2
micro_batch_size: 2
num_epochs: 1
optimizer: adamw_8bit
lr_scheduler: cosine
learning_rate: 0.0002
bf16: auto
tf32: false
gradient_checkpointing: true
flash_attention: true
warmup_steps: 10
evals_per_epoch: 4
weight_decay: 0.0
special_tokens:
  pad_token: <|end_of_text|>
"""
QLORA = """\
base_model: mistralai/Mistral-7B-v0.1
adapter: qlora
load_in_4bit: true
datasets:
  - path: a
    type: chat_template
  - path: b
    type: chat_template
sequence_len: 4096
lora_r: 32
lora_alpha: 16
lora_target_linear: true
peft_use_rslora: true
micro_batch_size: 1
gradient_accumulation_steps: 4
num_epochs: 4
optimizer: paged_adamw_32bit
learning_rate: 2e-4
cosine_min_lr_ratio: 0.1
max_grad_norm: 0.3
neftune_noise_alpha: 5
chat_template: chatml
"""
FULL = """\
base_model: Qwen/Qwen3-0.6B
datasets: [{path: text, type: completion, field: text}]
sequence_len: 1024
batch_size: 32
micro_batch_size: 4
num_epochs: 2
lr_scheduler: constant
optimizer: adamw_torch
adam_beta2: 0.95
learning_rate: "1.5e-5"
bf16: false
rl: dpo
"""


def test_a_file_of_lora() -> None:
    found = load_recipe(LORA)
    spec = found.spec
    assert found.kind == "axolotl"
    assert (spec.batch, spec.micro_batch, spec.epochs, spec.learning_rate) == (4, 2, 1, 2e-4)
    assert (spec.warmup_steps, spec.warmup_ratio, spec.packing, spec.most_tokens) == (10, 0, True, 2048)
    assert (spec.loss, spec.dtype, spec.clip) == ("answers", "bfloat16", 1.0)
    assert spec.adapter is not None
    assert (spec.adapter.rank, spec.adapter.targets, spec.adapter.bits) == (16, ("gate_proj", "q_proj"), None)
    assert {key.name for key in found.not_modelled} == {"val_set_size", "special_tokens"}
    assert any("adamw_8bit" in note for note in found.notes)
    assert not found.unknown


def test_a_file_of_qlora_on_two_datasets() -> None:
    found = load_recipe(QLORA)
    spec = found.spec
    assert spec.adapter is not None
    assert (spec.adapter.bits, spec.adapter.targets, spec.adapter.rank_stabilised) == (4, None, True)
    assert (spec.lowest_rate, spec.clip, spec.warmup_ratio, spec.dtype) == (0.1, 0.3, 0.03, "bfloat16")
    assert {key.name for key in found.not_modelled} == {"datasets", "neftune_noise_alpha", "chat_template"}


def test_a_file_that_trains_all_weights_on_whole_text() -> None:
    found = load_recipe(FULL)
    spec = found.spec
    assert (spec.batch, spec.micro_batch, spec.loss, spec.adapter) == (32, 4, "whole", None)
    assert (spec.schedule, spec.warmup_ratio, spec.betas) == ("constant", 0, (0.9, 0.95))
    assert (spec.learning_rate, spec.dtype) == (1.5e-5, "float32")
    assert {key.name for key in found.not_modelled} == {"rl"}


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("base_model: a\nlearning_rate: 1\nadapter: lora\nlora_alpha: 1", ("adapter", "lora_r", "line 3")),
        ("base_model: a\nlearning_rate: 1\nadapter: qlora\nlora_r: 1\nlora_alpha: 1", ("adapter", "load_in_4bit")),
        ("base_model: a\nlearning_rate: 1\nload_in_8bit: true", ("load_in_8bit", "adapter", "line 3")),
        ("base_model: a\nlearning_rate: 1\nbatch_size: 5\nmicro_batch_size: 2", ("batch_size", "micro_batch_size")),
        (
            "base_model: a\nlearning_rate: 1\nbatch_size: 4\ngradient_accumulation_steps: 2",
            ("batch_size", "gradient_ac"),
        ),
        ("base_model: a\nnum_epochs: 1", ("learning_rate", "not given")),
        (
            "base_model: a\nlearning_rate: 1\nwarmup_steps: 3\nwarmup_ratio: .1",
            ("warmup_steps", "warmup_ratio", "line 3"),
        ),
        ("base_model: a\nbase_model: b", ("twice", "line 2")),
    ],
)
def test_contradictions_name_their_keys(lines: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(SpecError) as error:
        load_recipe(lines + "\n")
    for key in keys:
        assert key in str(error.value)
