"""LLaMA-Factory's YAML.

Names and defaults are those of LLaMA-Factory's repository, 2026: `finetuning_args.py`, `data_args.py` and
`model_args.py` of `src/llamafactory/hparams`. They are LoRA of rank 8 on every linear matrix, alpha twice the rank,
rows of 2,048 tokens and loss on answers. The learning rate of 5e-5 and the rest are those of transformers 5.24.
"""

from __future__ import annotations

from typing import Any, Final

from undertow.config.recipes import arguments
from undertow.config.recipes.format import Format
from undertow.config.recipes.keys import Keys


def read(keys: Keys) -> dict[str, Any]:
    """Return the fields of a recipe."""
    stage = keys.text("stage", "sft")
    if stage not in ("sft", "pt"):
        keys.instead("stage", "answers are trained on as sft does")
    if len(keys.texts("dataset")) > 1:
        keys.instead("dataset", "several, mixed by LLaMA-Factory; here the rows that you give are trained on")
    return {
        **arguments.batch(keys, "per_device_train_batch_size", "gradient_accumulation_steps", 8),
        **arguments.length(keys, "num_train_epochs", 3.0),
        **arguments.optimiser(keys, "optim"),
        **arguments.clip(keys),
        **arguments.schedule(keys, "lr_scheduler_type", "linear"),
        "learning_rate": keys.number("learning_rate", 5e-5),
        "seed": keys.whole("seed", 42),
        "dtype": "bfloat16" if keys.flag("pure_bf16") else arguments.precision(keys, "auto"),
        "loss": _loss(keys, stage),
        "packing": _packing(keys, stage),
        "most_tokens": keys.whole("cutoff_len", 2048),
        "adapter": _adapter(keys),
    }


def _loss(keys: Keys, stage: str) -> str:
    prompts, history = keys.flag("train_on_prompt"), keys.flag("mask_history")
    if prompts and history:
        keys.clash("train_on_prompt", "mask_history", "one trains on all turns, one on the last", "Take one away.")
    if history:
        keys.instead("mask_history", "every answer carries loss in its place, or what the rows say")
    return "whole" if prompts or stage == "pt" else "answers"


def _packing(keys: Keys, stage: str) -> bool:
    neat = keys.flag("neat_packing")
    on = neat or keys.flag("packing", default=stage == "pt")
    if on and not neat and stage == "sft":
        keys.note("packing without neat_packing lets rows of a sequence see each other in LLaMA-Factory; not here.")
    return on


def _adapter(keys: Keys) -> dict[str, Any] | None:
    kind, bits = keys.text("finetuning_type", "lora"), _bits(keys)
    dora, stable = keys.flag("use_dora"), keys.flag("use_rslora")
    if kind != "lora":
        for name, on in (("use_dora", dora), ("use_rslora", stable)):
            if on:
                keys.clash(name, "finetuning_type", "only LoRA has it", "Take one of them away.")
        if bits is not None:
            keys.clash(
                "quantization_bit", "finetuning_type", "quantised weights are trained by LoRA only", "Change one."
            )
        if kind != "full":
            keys.instead("finetuning_type", "all weights are trained in its place")
        return None
    rank = keys.whole("lora_rank", 8)
    return {
        "rank": rank,
        "alpha": keys.number("lora_alpha", 2 * rank),
        "dropout": keys.number("lora_dropout", 0.0),
        "targets": keys.targets("lora_target"),
        "dora": dora,
        "rank_stabilised": stable,
        "modules_to_save": keys.texts("additional_target"),
        "bits": bits,
    }


def _bits(keys: Keys) -> int | None:
    bits = keys.whole("quantization_bit", 0)
    if bits in (0, 4, 8):
        return bits or None
    keys.instead("quantization_bit", "weights of 4 bits stand in their place")
    return 4


FORMAT: Final = Format(
    name="llama-factory",
    title="LLaMA-Factory",
    source="LLaMA-Factory's arguments, as in its repository in 2026, and transformers 5.24 (`TrainingArguments`)",
    taken={
        **arguments.TAKEN,
        "stage": "loss, packing",
        "train_on_prompt": "loss",
        "mask_history": "loss",
        "cutoff_len": "most_tokens",
        "packing": "packing",
        "neat_packing": "packing",
        "pure_bf16": "dtype",
        "finetuning_type": "adapter",
        "lora_rank": "adapter.rank, adapter.alpha",
        "lora_alpha": "adapter.alpha",
        "lora_dropout": "adapter.dropout",
        "lora_target": "adapter.targets",
        "additional_target": "adapter.modules_to_save",
        "use_dora": "adapter.dora",
        "use_rslora": "adapter.rank_stabilised",
        "quantization_bit": "adapter.bits",
    },
    not_modelled={
        **arguments.NOT_MODELLED,
        **{"val_size": (0, 0.0), "max_samples": (), "mix_strategy": ("concat",), "interleave_probs": ()},
        **{"disable_shuffling": (), "early_stopping_steps": (), "use_dft_loss": (), "use_asft_loss": ()},
        **{"use_eaft_loss": (), "eaft_alpha": (1, 1.0), "moe_aux_loss_coef": (), "compute_accuracy": ()},
        **{"loraplus_lr_ratio": (), "pissa_init": (), "pissa_iter": (16,), "pissa_convert": ()},
        **{"create_new_adapter": (), "adapter_name_or_path": (), "adapter_folder": ()},
        **{"freeze_trainable_layers": (2,), "freeze_trainable_modules": ("all",), "freeze_extra_modules": ()},
        **{"use_galore": (), "use_apollo": (), "use_badam": (), "use_adam_mini": (), "use_muon": ()},
        **{"use_llama_pro": (), "use_mca": (), "use_kt": (), "oft_rank": (0,), "oft_block_size": (32,)},
        **{"oft_target": ("all",), "module_dropout": (0, 0.0), "pref_beta": (0.1,), "pref_ftx": (0, 0.0)},
        **{"pref_loss": ("sigmoid",), "pref_bco_weight": (0, 0.0), "dpo_label_smoothing": (0, 0.0), "ld_alpha": ()},
        **{"kto_chosen_weight": (1, 1.0), "kto_rejected_weight": (1, 1.0), "simpo_gamma": (0.5,), "ref_model": ()},
        **{"reward_model": (), "quantization_type": ("nf4",), "quantization_method": ("bnb", "BNB")},
        **{"double_quantization": (True,), "fp8": (), "resize_vocab": (), "add_tokens": (), "add_special_tokens": ()},
        **{"new_special_tokens_config": (), "split_special_tokens": (), "rope_scaling": (), "shift_attn": ()},
        **{"mixture_of_depths": (), "train_from_scratch": (), "default_system": (), "tool_format": ()},
        **{"enable_thinking": (True,), "freeze_language_model": ()},
    },
    harmless=(
        *arguments.HARMLESS,
        *("model_name_or_path", "model_revision", "cache_dir", "trust_remote_code", "use_fast_tokenizer"),
        *("low_cpu_mem_usage", "flash_attn", "use_unsloth", "use_unsloth_gc", "enable_liger_kernel"),
        *("disable_gradient_checkpointing", "use_reentrant_gc", "upcast_layernorm", "upcast_lmhead_output"),
        *("use_v1_kernels", "print_param_status", "init_special_tokens", "offload_folder", "use_kv_cache"),
        *("infer_backend", "infer_dtype", "hf_hub_token", "ms_hub_token", "om_hub_token", "quantization_device_map"),
        *("fp8_backend", "fp8_enable_fsdp_float8_all_gather", "export_*", "vllm_*", "sglang_*", "image_*", "video_*"),
        *("crop_to_patches", "use_audio_in_video", "audio_sampling_rate", "freeze_vision_tower"),
        *("freeze_multi_modal_projector", "galore_*", "apollo_*", "badam_*", "ppo_*", "kt_*", "cpu_infer"),
        *(
            "chunk_size",
            "mode",
            "ref_model_adapters",
            "ref_model_quantization_bit",
            "reward_model_*",
            "loraplus_lr_embedding",
        ),
        *("template", "dataset", "dataset_dir", "media_dir", "streaming", "buffer_size", "overwrite_cache"),
        *("preprocessing_batch_size", "preprocessing_num_workers", "data_shared_file_system", "tokenized_path"),
        *("ignore_pad_token_for_loss", "plot_loss", "include_effective_tokens_per_second", "swanlab_*"),
        *("use_swanlab", "ray_*", "resources_per_worker", "placement_strategy", "master_addr", "master_port"),
        *("predict_with_generate", "generation_max_length", "generation_num_beams", "generation_config"),
        *("sortish_sampler", "do_sample", "temperature", "top_p", "top_k", "max_new_tokens", "num_beams"),
        *("repetition_penalty", "length_penalty", "skip_special_tokens", "seed_for_eval"),
    ),
    marks=(
        *("finetuning_type", "stage", "lora_rank", "lora_target", "cutoff_len", "template", "neat_packing"),
        *("train_on_prompt", "quantization_bit", "dataset_dir", "val_size"),
    ),
    read=read,
)
