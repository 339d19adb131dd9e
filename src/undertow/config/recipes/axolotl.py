"""Axolotl's YAML.

Names and defaults are those of Axolotl's repository, 2026: `config.py`, `training.py`, `peft.py`, `model.py` and
`datasets.py` of `src/axolotl/utils/schemas`, and for the warm-up `core/builders/base.py`. They are one epoch, a cosine
schedule, rows of 512 tokens, loss on answers and no dropout. What Axolotl passes on only where it is given, such as
Adam's betas, has transformers' defaults.
"""

from __future__ import annotations

from typing import Any, Final, cast

from undertow.config.recipes import arguments
from undertow.config.recipes.format import Format
from undertow.config.recipes.keys import Keys

_WARMUP: Final = 0.03
"""Share of the steps where a file does not say; Axolotl takes at most 100 steps."""
_WHOLE: Final = ("completion", "pretrain")
"""Types of rows that are whole text."""
_PLAIN: Final = {
    *("path", "type", "name", "split", "data_files", "ds_type", "revision", "trust_remote_code", "chat_template"),
    *("field", "field_messages", "field_human", "field_model", "field_tools", "field_thinking", "conversation"),
    *("message_field_role", "message_field_content", "message_property_mappings", "roles", "template_thinking_key"),
}
"""Keys of a dataset that say where its rows are and what its columns are called."""


def read(keys: Keys) -> dict[str, Any]:
    """Return the fields of a recipe."""
    if not keys.has("learning_rate"):
        keys.refuse("learning_rate", "is not given, and Axolotl has no default for it", "Add it.")
    least = keys.number("cosine_min_lr_ratio", 0.0) if keys.has("cosine_min_lr_ratio") else None
    fields = {
        **_batch(keys),
        **arguments.length(keys, "num_epochs", 1.0),
        **arguments.optimiser(keys, "optimizer"),
        **arguments.clip(keys),
        **arguments.schedule(keys, "lr_scheduler", "cosine", least=least),
        "learning_rate": keys.number("learning_rate", 0.0),
        "seed": keys.whole("seed", 42),
        "dtype": _dtype(keys),
        "loss": _loss(keys),
        "packing": keys.flag("sample_packing"),
        "most_tokens": keys.whole("sequence_len", 512),
        "adapter": _adapter(keys),
    }
    if not keys.has("warmup_steps") and not keys.has("warmup_ratio") and fields["schedule"] != "constant":
        keys.note("No warm-up is given: Axolotl warms up over 3% of the steps, at most 100; 3% are taken.")
        fields["warmup_ratio"] = _WARMUP
    return fields


def _batch(keys: Keys) -> dict[str, Any]:
    if not keys.has("batch_size"):
        return arguments.batch(keys, "micro_batch_size", "gradient_accumulation_steps", 1)
    if keys.has("gradient_accumulation_steps"):
        keys.clash("batch_size", "gradient_accumulation_steps", "each follows from the other", "Take one of them away.")
    rows, micro = keys.whole("batch_size", 1, least=1), keys.whole("micro_batch_size", 1, least=1)
    if rows % micro:
        keys.clash("batch_size", "micro_batch_size", "the first must be a multiple of the second", "Change one.")
    return {"batch": rows * keys.devices, "micro_batch": micro}


def _adapter(keys: Keys) -> dict[str, Any] | None:
    kind, bits = keys.text("adapter"), arguments.bits(keys)
    if kind not in ("lora", "qlora"):
        if kind:
            keys.instead("adapter", "all weights are trained in its place")
        elif bits is not None:
            name = f"load_in_{bits}bit"
            keys.clash(name, "adapter", "quantised weights are trained by an adapter only", "Add adapter: qlora.")
        return None
    if kind == "qlora" and bits != 4:
        keys.clash("adapter", "load_in_4bit", "qlora is LoRA on weights of 4 bits", "Add load_in_4bit: true.")
    for needed in ("lora_r", "lora_alpha"):
        if not keys.has(needed):
            keys.lacks("adapter", needed)
    targets = keys.targets("lora_target_modules")
    if keys.flag("lora_target_linear"):
        targets = None
    elif not keys.has("lora_target_modules"):
        keys.note("No matrices are named for the adapter: every linear one is taken, as lora_target_linear would.")
    return {
        "rank": keys.whole("lora_r", 0),
        "alpha": keys.number("lora_alpha", 0),
        "dropout": keys.number("lora_dropout", 0.0),
        "targets": targets,
        "layers": keys.wholes("peft_layers_to_transform"),
        "dora": keys.flag("peft_use_dora"),
        "rank_stabilised": keys.flag("peft_use_rslora"),
        "modules_to_save": keys.texts("lora_modules_to_save"),
        "bits": bits,
    }


def _dtype(keys: Keys) -> str:
    brain, half = keys.get("bf16"), keys.get("fp16")
    if keys.flag("bfloat16"):
        return "bfloat16"
    if keys.flag("float16"):
        return "float16"
    if isinstance(brain, str) and brain.lower() in ("auto", "full"):
        if brain.lower() == "auto" and half is True:
            return "float16"
        return "bfloat16"
    if not keys.given("bf16") and not keys.flag("fp16"):
        return "bfloat16"  # `auto`, on hardware that has it
    return arguments.precision(keys, "float32")


def _loss(keys: Keys) -> str:
    sets: Any = keys.get("datasets")
    whole = keys.flag("train_on_inputs")
    if isinstance(sets, list) and sets:
        rows = cast(list[Any], sets)
        kinds = [cast(dict[Any, Any], each).get("type") if isinstance(each, dict) else None for each in rows]
        plain = isinstance(rows[0], dict) and set(cast(dict[Any, Any], rows[0])) <= _PLAIN
        if len(rows) > 1:
            keys.instead("datasets", "several, mixed by Axolotl; here the rows that you give are trained on")
        elif not plain:
            keys.instead("datasets", "which turns carry loss, the rows say here")
        whole = whole or all(kind in _WHOLE for kind in kinds)
    return "whole" if whole else "answers"


FORMAT: Final = Format(
    name="axolotl",
    title="Axolotl",
    source="Axolotl's configuration schema, as in its repository in 2026",
    taken={
        "micro_batch_size": "batch, micro_batch",
        "gradient_accumulation_steps": "batch",
        "batch_size": "batch",
        "num_epochs": "epochs",
        "max_steps": "most_steps",
        "learning_rate": "learning_rate",
        "lr_scheduler": "schedule",
        "lr_scheduler_kwargs": "lowest_rate",
        "cosine_min_lr_ratio": "lowest_rate",
        "warmup_steps": "warmup_steps, warmup_ratio",
        "warmup_ratio": "warmup_ratio",
        "optimizer": "optimiser",
        "optim_args": "momentum",
        "weight_decay": "weight_decay",
        "adam_beta1": "betas",
        "adam_beta2": "betas",
        "adam_epsilon": "epsilon",
        "max_grad_norm": "clip",
        "seed": "seed",
        **dict.fromkeys(("bf16", "fp16", "bfloat16", "float16"), "dtype"),
        "sequence_len": "most_tokens",
        "sample_packing": "packing",
        "train_on_inputs": "loss",
        "datasets": "loss",
        "adapter": "adapter",
        "lora_r": "adapter.rank",
        "lora_alpha": "adapter.alpha",
        "lora_dropout": "adapter.dropout",
        "lora_target_modules": "adapter.targets",
        "lora_target_linear": "adapter.targets",
        "lora_modules_to_save": "adapter.modules_to_save",
        "peft_layers_to_transform": "adapter.layers",
        "peft_use_dora": "adapter.dora",
        "peft_use_rslora": "adapter.rank_stabilised",
        "load_in_4bit": "adapter.bits",
        "load_in_8bit": "adapter.bits",
    },
    not_modelled={
        "val_set_size": (0, 0.0),
        **{"rl": (), "rl_beta": (), "dpo_beta": (), "orpo_alpha": (), "rpo_alpha": (), "simpo_gamma": ()},
        **{"cpo_alpha": (), "kto_desirable_weight": (), "kto_undesirable_weight": (), "reward_model": ()},
        **{
            "process_reward_model": (),
            "dpo_use_logits_to_keep": (),
            "dpo_generate_during_eval": (),
            "dpo_norm_loss": (),
            "max_packed_sequence_len": (),
            "trl": (),
            "dpo_use_weighting": (),
            "dpo_label_smoothing": (),
        },
        **{"neftune_noise_alpha": (0, 0.0), "noisy_embedding_alpha": (0, 0.0), "label_smoothing_factor": (0, 0.0)},
        **{"embedding_lr": (), "embedding_lr_scale": (), "lr_groups": (), "loraplus_lr_ratio": ()},
        **{"lr_quadratic_warmup": (), "cosine_constant_lr_ratio": (), "lr_div_factor": (), "adam_epsilon2": ()},
        **{"adam_beta3": (), "optim_target_modules": (), "unfrozen_parameters": (), "relora": ()},
        **{"relora_steps": (), "relora_warmup_steps": (), "relora_prune_ratio": (), "jagged_restart_steps": ()},
        **{"relora_prune_method": ("magnitude",), "jagged_restart_warmup_steps": ()},
        **{"lisa_n_layers": (), "lisa_step_interval": (), "lora_model_dir": (), "lora_target_parameters": ()},
        **{"peft": (), "peft_layers_pattern": (), "peft_layer_replication": (), "peft_init_lora_weights": (True,)},
        **{"peft_trainable_token_indices": (), "peft_ensure_weight_tying": (), "gptq": (), "bnb_config_kwargs": ()},
        **{
            "qat": (),
            "fp8": (),
            "model_quantization_config": (),
            "model_quantization_config_kwargs": (),
            "auto_find_batch_size": (),
        },
        **{"group_by_length": (), "curriculum_sampling": (), "sample_packing_sequentially": ()},
        **{"shuffle_merged_datasets": (True,), "pretraining_dataset": (), "dataset_exact_deduplication": ()},
        **{"dataset_shard_num": (), "dataset_shard_idx": (), "dataloader_drop_last": (), "min_sample_len": ()},
        **{"excess_length_strategy": (), "use_pose": (), "s2_attention": (), "tokens": ()},
        **{"added_tokens_overrides": (), "special_tokens": (), "chat_template": ("tokenizer_default",)},
        **{"chat_template_jinja": (), "chat_template_kwargs": (), "default_system_message": (), "eot_tokens": ()},
        **{"fix_untrained_tokens": (), "resize_token_embeddings_to_32x": (), "shrink_embeddings": ()},
        **{"model_config": (), "overrides_of_model_config": (), "rope_scaling": (), "early_stopping_patience": ()},
        **{"load_best_model_at_end": (), "resume_from_checkpoint": (), "auto_resume_from_checkpoints": ()},
        **{"router_aux_loss_coef": (), "liger_use_token_scaling": (), "use_eaft": (), "diffusion": ()},
        **{"kd_trainer": (), "kd_alpha": (), "kd_ce_alpha": (), "kd_temperature": ()},
    },
    harmless=(
        *("base_model", "base_model_config", "cls_model_config", "model_type", "type_of_model", "model_revision"),
        *("revision_of_model", "model_kwargs", "overrides_of_model_kwargs", "tokenizer_*", "processor_type"),
        *("trust_remote_code", "is_falcon_derived_model", "is_llama_derived_model", "is_mistral_derived_model"),
        *("is_qwen_derived_model", "strict", "plugins", "output_dir", "hub_*", "hf_use_auth_token"),
        *("push_dataset_to_hub", "dataset_prepared_path", "dataset_processes", "dataset_num_proc"),
        *("dataset_keep_in_memory", "skip_prepare_dataset", "test_datasets", "pretraining_sample_concatenation"),
        *("sample_packing_group_size", "sample_packing_bin_size", "sample_packing_eff_est", "multipack_real_batches"),
        *("eval_*", "evals_per_epoch", "evaluation_strategy", "do_causal_lm_eval", "do_bench_eval", "bench_*"),
        *("metric_for_best_model", "greater_is_better", "save_*", "saves_per_epoch", "logging_steps", "profiler_*"),
        *("wandb_*", "use_wandb", "mlflow_*", "use_mlflow", "hf_mlflow_log_artifacts", "comet_*", "use_comet"),
        *("use_tensorboard", "include_tokens_per_second", "include_tkps", "gradio_*", "use_ray", "ray_*"),
        *("resources_per_worker", "lisa_layers_attribute", "relora_cpu_offload", "loraplus_lr_embedding"),
        *("lora_fan_in_fan_out", "lora_on_cpu", "merge_lora", "merge_method", "qlora_sharded_model_loading"),
        *("peft_autocast_adapter_dtype", "gradient_checkpointing", "gradient_checkpointing_kwargs"),
        *("activation_offloading", "tf32", "float32", "torch_compile", "torch_compile_backend", "torch_compile_mode"),
        *("flash_attention", "flash_attn_*", "flash_optimum", "sdp_attention", "flex_attention"),
        *("flex_attn_compile_kwargs", "xformers_attention", "eager_attention", "attn_implementation"),
        *("unsloth_*", "lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel", "use_kernels", "liger_rope"),
        *("liger_rms_norm", "liger_glu_activation", "liger_layer_norm", "liger_swiglu", "liger_cross_entropy"),
        *(
            "liger_fused_linear_cross_entropy",
            "cut_cross_entropy",
            "chunked_cross_entropy",
            "llama4_linearized_experts",
        ),
        *("pad_to_sequence_len", "batch_flattening", "pretrain_multipack_*", "deepspeed", "fsdp", "fsdp_*"),
        *("ddp", "ddp_*", "sequence_parallel_degree", "context_parallel_size", "tensor_parallel_size"),
        *("dp_shard_size", "dp_replicate_size", "heads_k_stride", "ring_attn_func", "device", "device_map"),
        *("world_size", "local_rank", "max_memory", "gpu_memory_limit", "low_cpu_mem_usage", "gc_steps"),
        *("dataloader_num_workers", "dataloader_pin_memory", "dataloader_prefetch_factor", "accelerator_config"),
        *("remove_unused_columns", "loss_watchdog_threshold", "loss_watchdog_patience", "debug", "vllm"),
        *("quantization", "torchdistx_path", "embeddings_skip_upcast", "mean_resizing_embeddings"),
        *(
            "max_prompt_len",
            "axolotl_config_path",
            "num_labels",
            "pose_*",
            "is_preprocess",
            "preprocess_iterable",
            "total_num_tokens",
            "total_supervised_tokens",
            "experimental_skip_move_to_device",
            "xpos_rope",
        ),
    ),
    marks=(
        *("base_model", "micro_batch_size", "sequence_len", "num_epochs", "sample_packing", "lora_target_linear"),
        *("train_on_inputs", "val_set_size", "lr_scheduler", "optimizer"),
    ),
    read=read,
)
