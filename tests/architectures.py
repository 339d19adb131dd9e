"""Tiny random models of many architectures: two to four layers, width 32, a tokenizer over bytes with a chat template.

Weights are large for their size, so that a mistake in a mask or a norm shows. Windows are shorter than the texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_model import make_tokenizer

WINDOW = 6

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
_GPT: dict[str, Any] = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
_EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
_LINEAR: dict[str, Any] = {
    "linear_conv_kernel_dim": 3,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
_LINEAR_FIRST = ["linear_attention", "full_attention"]
_MIXED = ["sliding_attention", "full_attention"]

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"tie_word_embeddings": True}),
    "llama-untied": ("llama", {"tie_word_embeddings": False, "attention_bias": True}),
    "mistral-window": ("mistral", {"sliding_window": WINDOW}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", {"tie_word_embeddings": True}),
    "qwen3-moe": ("qwen3_moe", {**_EXPERTS, "decoder_sparse_step": 1, "norm_topk_prob": True}),
    "qwen3-next": (
        "qwen3_next",
        {**_EXPERTS, **_LINEAR, "shared_expert_intermediate_size": 24, "layer_types": _LINEAR_FIRST},
    ),
    "qwen3.5": ("qwen3_5_text", {**_LINEAR, "layer_types": _LINEAR_FIRST}),
    "gemma3": (
        "gemma3_text",
        {"sliding_window": WINDOW, "layer_types": _MIXED, "query_pre_attn_scalar": 8, "tie_word_embeddings": True},
    ),
    "gemma2": (
        "gemma2",
        {
            "sliding_window": WINDOW,
            "layer_types": _MIXED,
            "query_pre_attn_scalar": 8,
            "attn_logit_softcapping": 5.0,
            "final_logit_softcapping": 3.0,
        },
    ),
    "gemma4": (
        "gemma4_text",
        {
            "sliding_window": WINDOW,
            "layer_types": _MIXED,
            "global_head_dim": 16,
            "num_kv_shared_layers": 0,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": 259,
        },
    ),
    "llama4": (
        "llama4_text",
        {
            "num_local_experts": 4,
            "num_experts_per_tok": 1,
            "intermediate_size_mlp": 48,
            "attention_chunk_size": WINDOW,
            "no_rope_layers": [1, 0],
            "layer_types": ["chunked_attention", "full_attention"],
        },
    ),
    "phi3": ("phi3", {"sliding_window": WINDOW, "tie_word_embeddings": False}),
    "olmo2": ("olmo2", {"tie_word_embeddings": False}),
    "gpt2": ("gpt2", {**_GPT, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}),
    "gpt-neox": ("gpt_neox", {"rotary_pct": 0.5, "tie_word_embeddings": False}),
    "falcon": ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2, "alibi": False}),
    "falcon-alibi": ("falcon", {"new_decoder_architecture": False, "multi_query": False, "alibi": True}),
    "mixtral": ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None}),
    "gpt-oss": (
        "gpt_oss",
        {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": WINDOW, "layer_types": _MIXED},
    ),
    "smollm3": ("smollm3", {"no_rope_layers": [1, 0], "tie_word_embeddings": True}),
    "granite": (
        "granite",
        {
            "logits_scaling": 4.0,
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.5,
            "attention_multiplier": 0.4,
            "tie_word_embeddings": True,
        },
    ),
}
"""By name: the model type of transformers, and what is set beside the sizes."""


def make_model(name: str, folder: Path, *, seed: int = 0) -> Path:
    """Write a tiny random model of an architecture in the transformers layout."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    text = make_tokenizer("<|endoftext|>")  # that of Qwen2 has it anyway
    kind, fields = ARCHITECTURES[name]
    sizes = {key: value for key, value in _SIZES.items() if (kind, key) != ("falcon", "head_dim")}
    config = AutoConfig.for_model(kind, **{**sizes, **fields, "vocab_size": len(text)})
    torch.manual_seed(seed)
    net = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight_name, weight in net.named_parameters():
            if weight.ndim == 1:
                # Norms start as ones, biases and sinks as zeros: mistakes with them would not show.
                weight.add_(0.3 * torch.randn(weight.shape))
            elif "norm" not in weight_name:
                weight.normal_(std=0.3)
    net.save_pretrained(folder)
    text.save_pretrained(folder)
    return folder
