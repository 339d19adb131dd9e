"""Converts a GGUF language model to safetensors and a tokenizer: `python -m undertow.assets.gguf FILE OUT [--tie]`.

Decoding GGUF takes half a minute each time; a safetensors folder loads in a tenth of a second.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def convert(gguf: Path, out: Path, *, tie: bool = False) -> None:
    """Write the decoded float32 weights, the configuration and the tokenizer of `gguf` into the folder `out`.

    Args:
        gguf: The file.
        out: The folder.
        tie: Make the output embedding the input's too.

    Raises:
        FileNotFoundError: `out` is gone, because the process that wanted it died and another one cleaned up.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"gguf_file": gguf.name, "local_files_only": True}
    decoded = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, trust_remote_code=False, **where)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, trust_remote_code=False, **where)
    config = decoded.config
    # With it, save_pretrained would raise, though the weights are no longer quantised.
    vars(config).pop("quantization_config", None)
    if tie:
        decoded.model.embed_tokens.weight = decoded.lm_head.weight
        config.tie_word_embeddings = True
    model = type(decoded)(config)
    model.load_state_dict(decoded.state_dict())
    model.tie_weights()
    if not out.is_dir():
        raise FileNotFoundError(out)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    embeddings: Any = model.get_input_embeddings()
    _cut_tokens(out / "tokenizer.json", len(embeddings.weight))


def _cut_tokens(file: Path, rows: int) -> None:
    """Take out tokens that the model has no row for: transformers adds `<|endoftext|>` to files that lack it."""
    stored = json.loads(file.read_bytes())
    kept = [token for token in stored["added_tokens"] if token["id"] < rows]
    if len(kept) < len(stored["added_tokens"]):
        file.write_text(json.dumps(stored | {"added_tokens": kept}, ensure_ascii=False, indent=2), encoding="utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), tie="--tie" in sys.argv[3:])
