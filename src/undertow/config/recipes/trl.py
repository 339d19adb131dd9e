"""TRL's `SFTConfig` or `DPOConfig` with PEFT's `LoraConfig`: YAML for its command, JSON, or `adapter_config.json`.

Names and defaults are those of TRL 1.16 (`trl/trainer/sft_config.py`, `dpo_config.py`, `base_config.py`,
`model_config.py`, `scripts/utils.py`), transformers 5.24 (`training_args.py`) and PEFT 0.21 (`tuners/lora/config.py`,
where `r` and `lora_alpha` are 8; `utils/constants.py`, where the matrices of an architecture are). TRL differs from
transformers in the learning rate, 2e-5, and in bf16, which is on where fp16 is off. `max_seq_length` is what TRL called
`max_length`. A file is one of DPO where its `loss_type` is `sigmoid`, or where it has a `beta` and no `loss_type`. The
learning rate of DPO is 1e-6 by default, and its dropout is off.
"""

from __future__ import annotations

from typing import Any, Final

from undertow.config.recipes import arguments
from undertow.config.recipes.format import Format
from undertow.config.recipes.keys import Keys

_PEFT: Final = {
    "peft.r": "adapter.rank",
    "peft.lora_alpha": "adapter.alpha",
    "peft.lora_dropout": "adapter.dropout",
    "peft.target_modules": "adapter.targets",
    "peft.layers_to_transform": "adapter.layers",
    "peft.use_dora": "adapter.dora",
    "peft.use_rslora": "adapter.rank_stabilised",
    "peft.modules_to_save": "adapter.modules_to_save",
}
_FLAT: Final = {
    "lora_r": "peft.r",
    "lora_alpha": "peft.lora_alpha",
    "lora_dropout": "peft.lora_dropout",
    "lora_target_modules": "peft.target_modules",
    "use_dora": "peft.use_dora",
    "use_rslora": "peft.use_rslora",
    "lora_modules_to_save": "peft.modules_to_save",
}
"""TRL's names -> PEFT's."""
_TARGETS: Final = ("q_proj", "v_proj")
"""What PEFT chooses for Llama, Mistral, Qwen and Gemma where no matrices are named."""
BESIDE: Final = "adapter_config.json"
_OF_ANSWERS: Final = ("nll", "chunked_nll")
"""Kinds of loss that are plain cross-entropy."""
_OTHER_TRAINERS: Final = ("num_generations", "desirable_weight")
"""Keys of GRPO and KTO, which have a beta of another meaning."""


def read(keys: Keys) -> dict[str, Any]:
    """Return the fields of a recipe."""
    pairs = _on_pairs(keys)
    adapter = _adapter(keys)
    if pairs and adapter is not None and keys.flag("disable_dropout", True) and adapter["dropout"]:
        keys.note("DPO has no dropout unless disable_dropout is false, so that the adapter's is not used.")
        adapter["dropout"] = 0.0
    elif not pairs and keys.flag("disable_dropout"):
        keys.instead("disable_dropout", "the adapter has its dropout")
    bits = arguments.bits(keys)
    if bits is not None and adapter is None:
        key = "load_in_4bit" if bits == 4 else "load_in_8bit"
        keys.clash(key, "use_peft", "quantised weights are trained by an adapter only", "Add use_peft: true.")
    return {
        **arguments.batch(keys, "per_device_train_batch_size", "gradient_accumulation_steps", 8),
        **arguments.length(keys, "num_train_epochs", 3.0),
        **arguments.optimiser(keys, "optim"),
        **arguments.clip(keys),
        **arguments.schedule(keys, "lr_scheduler_type", "linear"),
        "learning_rate": keys.number("learning_rate", 1e-6 if pairs else 2e-5),
        "seed": keys.whole("seed", 42),
        "dtype": _dtype(keys),
        **({"loss": "dpo", "beta": keys.number("beta", 0.1)} if pairs else {"loss": _loss(keys)}),
        "packing": keys.flag("packing"),
        "most_tokens": _most_tokens(keys),
        "adapter": None if adapter is None else {**adapter, "bits": bits},
    }


def _on_pairs(keys: Keys) -> bool:
    """Say whether a file is one of DPO; of its other losses, and of other trainers' betas, it is told."""
    types = keys.texts("loss_type")
    if not any(name in keys.found for name in _OTHER_TRAINERS) and (types == ("sigmoid",) or not types):
        # A beta of zero is that of a trainer without a reference.
        if types or (keys.has("beta") and keys.number("beta", 0.0)):
            return True
    elif types and not set(types) <= set(_OF_ANSWERS):
        keys.instead("loss_type", "the loss on answers stands in its place")
    if keys.has("beta"):
        keys.instead("beta", "there is no loss on pairs that it belongs to")
    return False


def _adapter(keys: Keys) -> dict[str, Any] | None:
    flat = [name for name in _FLAT if keys.has(name) and keys.get(name) not in (False, [])]
    nested = any(name.startswith("peft.") for name in keys.found)
    on = keys.flag("use_peft")
    if keys.has("use_peft") and not on:
        if flat or nested:
            keys.note("use_peft is false: all weights are trained, and what the file says of an adapter is not used.")
        return None
    if nested:
        for ours, theirs in _FLAT.items():
            if keys.has(ours) and keys.has(theirs) and keys.get(ours) != keys.get(theirs):
                keys.clash(ours, theirs, "they are the same setting", "Take one of them away.")
        if not flat:
            return _made(keys, {name: name for name in _FLAT.values()}, rank=8, alpha=8, dropout=0.0)
    if not on and not nested and flat:
        # TRL's own command trains all weights then; a script of the user's may well not.
        keys.lacks(flat[0], "use_peft", "without it TRL's command trains all weights; true or false must be said")
    if not on and not nested:
        return None
    names = {theirs: ours if keys.given(ours) else theirs for ours, theirs in _FLAT.items()}
    return _made(keys, names, rank=8 if nested else 16, alpha=8 if nested else 32, dropout=0.0 if nested else 0.05)


def _made(keys: Keys, names: dict[str, str], *, rank: int, alpha: float, dropout: float) -> dict[str, Any]:
    named = names["peft.target_modules"]
    targets = keys.targets(named)
    if not keys.has(named):
        targets = _TARGETS
        keys.note(
            "No matrices are named for the adapter, so PEFT chooses by architecture. "
            f"{' and '.join(_TARGETS)} are taken, its choice for Llama, Mistral, Qwen and Gemma."
        )
    return {
        "rank": keys.whole(names["peft.r"], rank),
        "alpha": keys.number(names["peft.lora_alpha"], alpha),
        "dropout": keys.number(names["peft.lora_dropout"], dropout),
        "targets": targets,
        "layers": keys.wholes("peft.layers_to_transform"),
        "dora": keys.flag(names["peft.use_dora"]),
        "rank_stabilised": keys.flag(names["peft.use_rslora"]),
        "modules_to_save": keys.texts(names["peft.modules_to_save"]),
    }


def _dtype(keys: Keys) -> str:
    weights = keys.text("dtype") or keys.text("torch_dtype")
    weights = weights.removeprefix("torch.")
    if weights in ("bfloat16", "float16"):
        return weights
    if weights not in ("", "auto", "float32"):
        name = "dtype" if keys.has("dtype") else "torch_dtype"
        keys.refuse(name, f"must be auto, float32, bfloat16 or float16, not {weights[:40]}")
    if not keys.has("bf16") and not keys.flag("fp16"):
        return "bfloat16"
    return arguments.precision(keys, "auto" if weights == "auto" else "float32")


def _loss(keys: Keys) -> str:
    completion, assistant = keys.has("completion_only_loss"), keys.flag("assistant_only_loss")
    only = keys.flag("completion_only_loss")
    text = keys.text("dataset_text_field")
    if only and text not in ("", "text"):
        keys.clash(
            "completion_only_loss",
            "dataset_text_field",
            "whole text has no completion",
            "Take one of them away.",
        )
    if not completion and not assistant:
        keys.note(
            "TRL chooses by the rows which tokens carry loss: the answers of prompt and completion, and all tokens of "
            "other rows. Answers are taken; completion_only_loss: false stands for all tokens."
        )
    return "whole" if completion and not only and not assistant else "answers"


def _most_tokens(keys: Keys) -> int | None:
    if keys.has("max_length") and keys.has("max_seq_length") and keys.get("max_length") != keys.get("max_seq_length"):
        keys.clash("max_length", "max_seq_length", "they are the same setting", "Take one of them away.")
    name = "max_length" if keys.given("max_length") else "max_seq_length"
    if keys.given(name) and keys.get(name) is None:
        return None
    return keys.whole(name, 1024)


FORMAT: Final = Format(
    name="trl",
    title="TRL",
    source="TRL 1.16 (`SFTConfig`), transformers 5.24 (`TrainingArguments`) and PEFT 0.21 (`LoraConfig`)",
    taken={
        **arguments.TAKEN,
        "max_length": "most_tokens",
        "max_seq_length": "most_tokens",
        "packing": "packing",
        "completion_only_loss": "loss",
        "assistant_only_loss": "loss",
        "dataset_text_field": "loss",
        "dtype": "dtype",
        "torch_dtype": "dtype",
        "loss_type": "loss",
        "beta": "loss, beta",
        "disable_dropout": "adapter.dropout",
        "use_peft": "adapter",
        **{ours: _PEFT[theirs] for ours, theirs in _FLAT.items()},
        **_PEFT,
        "load_in_4bit": "adapter.bits",
        "load_in_8bit": "adapter.bits",
    },
    not_modelled={
        **arguments.NOT_MODELLED,
        "packing_strategy": ("bfd",),
        "truncation_mode": ("keep_start",),
        "chat_template_path": (),
        "eos_token": ("<EOS_TOKEN>",),  # how the arguments as JSON hide every token, even none
        "model_init_kwargs": (),
        "router_aux_loss_coef": (0, 0.0),
        "datasets": (),
        "test_split_size": (0, 0.0),
        "bnb_4bit_quant_type": ("nf4",),
        "use_bnb_nested_quant": (),
        "lora_target_parameters": (),
        "lora_task_type": ("CAUSAL_LM",),
        # Of DPO, whose files are alike.
        **{"label_smoothing": (0, 0.0), "loss_weights": (), "use_weighting": (), "ld_alpha": (1, 1.0)},
        **{"f_divergence_type": ("reverse_kl",), "rpo_alpha": (), "sync_ref_model": ()},
        # Of PEFT.
        "peft.peft_type": ("LORA",),
        "peft.task_type": ("CAUSAL_LM",),
        "peft.bias": ("none",),
        "peft.init_lora_weights": (True,),
        "peft.layers_pattern": (),
        "peft.qalora_group_size": (16,),
        **{
            f"peft.{name}": ()
            for name in (
                *("exclude_modules", "rank_pattern", "alpha_pattern", "megatron_config", "trainable_token_indices"),
                *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config", "monteclora_config"),
                *("alora_invocation_tokens", "use_qalora", "layer_replication", "lora_bias", "target_parameters"),
                *("use_bdlora", "arrow_config", "kasa_config", "ensure_weight_tying"),
            )
        },
    },
    harmless=(
        *arguments.HARMLESS,
        *("dataset_name", "dataset_config", "dataset_train_split", "dataset_test_split", "dataset_streaming"),
        *("dataset_kwargs", "dataset_num_proc", "dataset_batch_size", "streaming", "shuffle_dataset", "env"),
        *("model_name_or_path", "model_revision", "trust_remote_code", "attn_implementation", "pad_token"),
        *("precompute_ref_log_probs", "precompute_ref_batch_size", "f_alpha_divergence_coef", "discopop_tau"),
        *("ref_model_mixup_alpha", "ref_model_sync_steps"),
        *("padding_free", "pad_to_multiple_of", "activation_offloading", "ignore_bias_buffers"),
        *("bnb_4bit_quant_storage", "use_liger", "config", "ray_scope", "wandb_*"),
        *(
            f"peft.{name}"
            for name in (
                *("auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "fan_in_fan_out"),
                *("megatron_core", "runtime_config", "peft_version"),
            )
        ),
    ),
    marks=(
        *("use_peft", "max_length", "max_seq_length", "completion_only_loss", "assistant_only_loss", "dataset_name"),
        *("dataset_text_field", "packing_strategy", "peft.r", "peft.peft_type"),
    ),
    read=read,
    sections={
        **dict.fromkeys(("training_args", "training_arguments", "sft_config", "model_config", "script_args"), ""),
        **dict.fromkeys(("peft_config", "lora_config"), "peft."),
    },
)
