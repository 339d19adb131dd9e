"""The arguments of transformers' trainer, which TRL and LLaMA-Factory add theirs to; some of Axolotl's are the same.

Names and defaults are those of `TrainingArguments` in transformers 5.24. They are 8 rows a device, 3 epochs, a linear
schedule without a warm-up, no weight decay, gradients cut at norm 1 and seed 42. AdamW has betas 0.9 and 0.999 and
epsilon 1e-8. In 5.x a number of warm-up steps below 1 is a share, which 4.x called `warmup_ratio`. The module knows no
format.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from undertow.config.recipes.keys import Keys

TAKEN: Final = {
    "per_device_train_batch_size": "batch, micro_batch",
    "gradient_accumulation_steps": "batch",
    "num_train_epochs": "epochs",
    "max_steps": "most_steps",
    "learning_rate": "learning_rate",
    "lr_scheduler_type": "schedule",
    "lr_scheduler_kwargs": "lowest_rate",
    "warmup_steps": "warmup_steps, warmup_ratio",
    "warmup_ratio": "warmup_ratio",
    "optim": "optimiser",
    "optim_args": "momentum",
    "weight_decay": "weight_decay",
    "adam_beta1": "betas",
    "adam_beta2": "betas",
    "adam_epsilon": "epsilon",
    "max_grad_norm": "clip",
    "bf16": "dtype",
    "fp16": "dtype",
    "seed": "seed",
}
NOT_MODELLED: Final[dict[str, tuple[Any, ...]]] = {
    "label_smoothing_factor": (0, 0.0),
    "neftune_noise_alpha": (0, 0.0),
    "optim_target_modules": (),
    "auto_find_batch_size": (),
    "average_tokens_across_devices": (True,),
    "dataloader_drop_last": (),
    "group_by_length": (),
    "train_sampling_strategy": ("random",),
    "data_seed": (),
    "load_best_model_at_end": (),
    "resume_from_checkpoint": (),
    "ignore_data_skip": (),
    "liger_kernel_config": (),
    "accelerator_config": (
        {
            "split_batches": False,
            "dispatch_batches": None,
            "even_batches": True,
            "use_seedable_sampler": True,
            "non_blocking": False,
            "gradient_accumulation_kwargs": None,
        },
        {
            "split_batches": False,
            "dispatch_batches": None,
            "even_batches": True,
            "use_seedable_sampler": True,
            "non_blocking": False,
            "gradient_accumulation_kwargs": None,
            "use_configured_state": False,
        },
    ),
}
HARMLESS: Final = (
    # Where things go, and what is told.
    *("output_dir", "overwrite_output_dir", "run_name", "project", "report_to", "disable_tqdm", "debug", "log_level"),
    *("log_level_replica", "log_on_each_node", "logging_dir", "logging_strategy", "logging_first_step"),
    *("logging_steps", "logging_nan_inf_filter", "include_tokens_per_second", "include_num_input_tokens_seen"),
    *("skip_memory_metrics", "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"),
    *("push_to_hub", "push_to_hub_model_id", "push_to_hub_organization", "push_to_hub_token", "hub_*"),
    # Saving and evaluation.
    *("save_strategy", "save_steps", "save_total_limit", "save_safetensors", "save_on_each_node", "save_only_model"),
    *("enable_jit_checkpoint", "restore_callback_states_from_checkpoint", "eval_*", "evaluation_strategy"),
    *("per_device_eval_batch_size", "prediction_loss_only", "metric_for_best_model", "greater_is_better"),
    *("include_for_metrics", "include_inputs_for_metrics", "batch_eval_metrics", "label_names", "do_train"),
    *("do_eval", "do_predict", "bf16_full_eval", "fp16_full_eval", "past_index", "use_legacy_prediction_loop"),
    # How it is computed.
    *("gradient_checkpointing", "gradient_checkpointing_kwargs", "activation_checkpointing", "tf32", "half_precision"),
    *("activation_checkpointing_kwargs", "torch_compile", "torch_compile_backend", "torch_compile_mode", "use_cache"),
    *("torch_empty_cache_steps", "use_liger_kernel", "full_determinism", "jit_mode_eval", "use_cpu", "no_cuda"),
    *("use_ipex", "use_mps_device", "fp16_opt_level", "fp16_backend", "half_precision_backend", "mp_parameters"),
    *("torchdynamo", "local_rank", "ddp_*", "fsdp", "fsdp_*", "deepspeed", "tpu_num_cores"),
    *("tpu_metrics_debug", "parallelism_config", "dataloader_num_workers", "dataloader_pin_memory"),
    *("dataloader_persistent_workers", "dataloader_prefetch_factor", "dataloader_multiprocessing_context"),
    *("dataloader_in_order", "remove_unused_columns", "length_column_name"),
)
"""What does not change what a student learns."""

_ADAMW: Final = (
    *("adamw_torch", "adamw_torch_fused", "adamw_torch_xla", "adamw_torch_npu_fused", "adamw_hf", "adamw_apex_fused"),
    *("paged_adamw", "paged_adamw_32bit", "adamw"),
)
_SMALL_STATE: Final = (
    *("adamw_torch_4bit", "adamw_torch_8bit", "adamw_bnb_8bit", "adamw_8bit", "paged_adamw_8bit"),
    *("adamw_anyprecision", "ao_adamw_4bit", "ao_adamw_8bit", "ao_adamw_fp8"),
)
_SCHEDULES: Final[dict[str, Literal["linear", "cosine", "constant"]]] = {
    "linear": "linear",
    "cosine": "cosine",
    "cosine_with_min_lr": "cosine",
    "constant": "constant",
    "constant_with_warmup": "constant",
}


def batch(keys: Keys, micro: str, accumulation: str, default: int) -> dict[str, Any]:
    """Return rows a forward pass and rows a step."""
    rows = keys.whole(micro, default, least=1)
    steps = keys.whole(accumulation, 1, least=1)
    if keys.devices == 1:
        keys.note(f"One device is assumed: {rows * steps} rows a step. On several, each adds as many.")
    return {"micro_batch": rows, "batch": rows * steps * keys.devices}


def length(keys: Keys, epochs: str, default: float) -> dict[str, Any]:
    """Return epochs and steps."""
    steps = keys.whole("max_steps", -1)
    if steps > 0 and keys.has(epochs):
        keys.note(f"max_steps = {steps} takes the place of {epochs} = {keys.get(epochs)}.")
    return {"epochs": keys.number(epochs, default), "most_steps": steps if steps > 0 else None}


def optimiser(keys: Keys, name: str) -> dict[str, Any]:
    """Return the optimiser and what belongs to it."""
    chosen = keys.text(name, "adamw_torch_fused")
    given: Any = keys.get("optim_args")
    momentum = 0.0
    if given not in (None, "", {}):
        pairs = (
            {part.partition("=")[0].strip(): part.partition("=")[2] for part in given.split(",")}
            if isinstance(given, str)
            else given
        )
        if chosen == "sgd" and isinstance(pairs, dict) and list(pairs) == ["momentum"]:
            momentum = _momentum(keys, pairs["momentum"])
        else:
            keys.instead("optim_args", "the optimiser has its usual arguments in their place")
    if chosen in _SMALL_STATE:
        keys.note(f"{name} = {chosen}: AdamW keeps its whole state here, not a rounded one.")
    elif chosen not in (*_ADAMW, "sgd"):
        keys.instead(name, "AdamW trains in its place")
    return {
        "optimiser": "sgd" if chosen == "sgd" else "adamw",
        "momentum": momentum,
        "betas": (keys.number("adam_beta1", 0.9), keys.number("adam_beta2", 0.999)),
        "epsilon": keys.number("adam_epsilon", 1e-8),
        "weight_decay": keys.number("weight_decay", 0.0),
    }


def _momentum(keys: Keys, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        keys.refuse("optim_args", f"has a momentum that is no number, {str(value)[:40]}")


def clip(keys: Keys) -> dict[str, Any]:
    """Return the largest norm of a gradient; 0 and null mean none, as transformers' trainer has it."""
    if keys.given("max_grad_norm") and keys.get("max_grad_norm") is None:
        return {"clip": None}
    return {"clip": keys.number("max_grad_norm", 1.0, least=0) or None}


def schedule(keys: Keys, name: str, default: str, *, least: float | None = None) -> dict[str, Any]:
    """Return the schedule and its warm-up.

    Args:
        keys: Of the recipe.
        name: Key of the schedule.
        default: Its name where the key is absent.
        least: What a cosine ends at, as a share of the learning rate, where a key of its own says it.
    """
    steps, share = keys.number("warmup_steps", 0.0, least=0), keys.number("warmup_ratio", 0.0, least=0)
    if steps and share:
        keys.clash("warmup_steps", "warmup_ratio", "both say how long the warm-up is", "Take one of them away.")
    if 0 < steps < 1:
        steps, share = 0.0, steps
    chosen = keys.text(name, default)
    more: Any = keys.get("lr_scheduler_kwargs")
    made: dict[str, Any] = {"schedule": _SCHEDULES.get(chosen, "linear"), "lowest_rate": least or 0.0}
    if chosen not in _SCHEDULES:
        keys.instead(name, "a linear schedule stands in its place")
    if chosen == "cosine_with_min_lr" and isinstance(more, dict) and len(more) == 1:
        ((option, value),) = more.items()
        lowest = _rate(value)
        if lowest is not None and option in ("min_lr_rate", "min_lr"):
            rate = keys.number("learning_rate", 0.0)
            made["lowest_rate"] = lowest if option == "min_lr_rate" or not rate else lowest / rate
            more = None
    if more not in (None, "", {}):
        keys.instead("lr_scheduler_kwargs", "the schedule has its usual shape in their place")
    if chosen == "constant":
        if steps or share:
            keys.note(f"{name} = constant has no warm-up, whatever the file says of one; constant_with_warmup has.")
        return made
    return {**made, "warmup_steps": int(steps), "warmup_ratio": share}


def _rate(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def precision(keys: Keys, default: str) -> str:
    """Return the type of numbers: that of `bf16` and `fp16`, or the default where neither is on."""
    half, brain = keys.flag("fp16"), keys.flag("bf16")
    if half and brain:
        keys.clash("bf16", "fp16", "matrix products have one type", "Take one of them away.")
    return "bfloat16" if brain else "float16" if half else default


def bits(keys: Keys) -> Literal[4, 8] | None:
    """Return the bits of the frozen weights that `load_in_4bit` and `load_in_8bit` say."""
    four, eight = keys.flag("load_in_4bit"), keys.flag("load_in_8bit")
    if four and eight:
        keys.clash("load_in_4bit", "load_in_8bit", "weights have one size", "Take one of them away.")
    return 4 if four else 8 if eight else None
