"""LLaMA-Factory's YAML, as people have it: what is read, and which are refused."""

import pytest

from undertow.config.recipes.load import load_recipe
from undertow.errors import SpecError

LORA = """\
### model
model_name_or_path: Qwen/Qwen3-4B-Instruct-2507
trust_remote_code: true
### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
### dataset
dataset: identity
template: qwen3_nothink
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
### train
output_dir: saves/qwen3-4b/lora/sft
plot_loss: true
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
"""
QLORA = """\
stage: sft
finetuning_type: lora
quantization_bit: 4
quantization_method: bnb
double_quantization: true
lora_rank: 16
lora_alpha: 64
lora_dropout: 0.1
lora_target: q_proj,v_proj
additional_target: embed_tokens, lm_head
use_rslora: true
dataset: a,b
mix_strategy: interleave_over
template: llama3
neat_packing: true
max_steps: 500
num_train_epochs: 3
"""
FULL = """\
stage: pt
finetuning_type: full
template: default
dataset: wiki
pure_bf16: true
use_badam: true
train_on_prompt: false
"""


def test_a_file_of_lora() -> None:
    found = load_recipe(LORA)
    spec = found.spec
    assert found.kind == "llama-factory"
    assert (spec.batch, spec.micro_batch, spec.learning_rate, spec.epochs) == (8, 1, 1e-4, 3)
    assert (spec.warmup_ratio, spec.schedule, spec.dtype, spec.most_tokens) == (0.1, "cosine", "bfloat16", 2048)
    assert spec.adapter is not None
    assert (spec.adapter.rank, spec.adapter.alpha, spec.adapter.targets) == (8, 16, None)
    assert {key.name for key in found.not_modelled} == {"max_samples"}
    assert not found.unknown


def test_a_file_of_qlora_on_two_datasets() -> None:
    found = load_recipe(QLORA)
    adapter = found.spec.adapter
    assert adapter is not None
    assert (adapter.bits, adapter.targets, adapter.modules_to_save) == (
        4,
        ("q_proj", "v_proj"),
        ("embed_tokens", "lm_head"),
    )
    assert (found.spec.packing, found.spec.most_steps, found.spec.learning_rate) == (True, 500, 5e-5)
    assert {key.name for key in found.not_modelled} == {"dataset", "mix_strategy"}
    assert any("takes the place" in note for note in found.notes)


def test_a_file_that_trains_all_weights_on_whole_text() -> None:
    found = load_recipe(FULL)
    assert (found.spec.loss, found.spec.packing, found.spec.adapter) == ("whole", True, None)
    assert found.spec.dtype == "bfloat16"
    assert {key.name for key in found.not_modelled} == {"use_badam"}


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("stage: sft\ntrain_on_prompt: true\nmask_history: true", ("train_on_prompt", "mask_history", "line 2")),
        ("finetuning_type: full\nuse_dora: true", ("use_dora", "finetuning_type", "line 2")),
        ("finetuning_type: full\nquantization_bit: 4", ("quantization_bit", "finetuning_type", "line 2")),
        ("stage: sft\nuse_dora: true\nquantization_bit: 8", ("use_dora", "quantization_bit", "line 2")),
        ("stage: sft\nlora_rank: many", ("lora_rank", "must be a number", "line 2")),
    ],
)
def test_contradictions_name_their_keys(lines: str, keys: tuple[str, ...]) -> None:
    with pytest.raises(SpecError) as error:
        load_recipe(lines + "\n")
    for key in keys:
        assert key in str(error.value)


@pytest.mark.parametrize(("stage", "left"), [("dpo", {"stage"}), ("sft", set()), ("pt", set())])
def test_other_stages_are_listed(stage: str, left: set[str]) -> None:
    assert {key.name for key in load_recipe(f"stage: {stage}\ntemplate: x\n").not_modelled} == left
