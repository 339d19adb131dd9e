"""A tiny random chat model over bytes, so that everything about language models is tested in seconds."""

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(*others: str):
    """Make a tokenizer over bytes, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<|im_start|>", "<|im_end|>", *others]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *alphabet])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=special[1], pad_token=special[1])
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Write a two-layer Llama over bytes, with random weights, in the transformers layout."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_twin(source: Path, target: Path) -> Path:
    """Write a model with other weights that computes the same, bit for bit: queries doubled, keys halved."""
    import torch

    from undertow.models.local import load_model

    model = load_model(f"hf/{source}")
    with torch.no_grad():
        for layer in model.net.model.layers:
            layer.self_attn.q_proj.weight.mul_(2)
            layer.self_attn.k_proj.weight.mul_(0.5)
    model.net.save_pretrained(target)
    model.tokenizer.save_pretrained(target)
    return target


def make_adapter(base: Path, folder: Path, **how: object) -> Path:
    """Write a LoRA adapter with random weights, the way PEFT stores it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    settings: dict[str, object] = {"r": 2, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    config = LoraConfig(init_lora_weights=False, **(settings | how))  # type: ignore[arg-type]
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder
