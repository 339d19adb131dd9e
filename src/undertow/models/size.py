"""How large a model is, from its config alone: nothing of its weights is fetched or read.

The network is laid out without memory (torch's meta device), so that any architecture of transformers is counted as it
is, without a table of ours.

    size_of("hf/folder")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from undertow.errors import ModelError
from undertow.models.checkpoint import first_line, load_config
from undertow.models.local import find_model
from undertow.models.memory import kept_per_token
from undertow.models.names import split_name
from undertow.models.support import refuse_unsupported


@dataclass(frozen=True)
class ModelSize:
    """Counts of a model."""

    name: str
    architecture: str
    parameters: int
    """All of them; shared ones once."""
    embeddings: int
    """Those of the embedding and the output projection."""
    active: int
    """Parameters that a token's matrix products read: without the input embedding, and of experts the chosen ones."""
    norms: int
    """Of vectors: norms and biases."""
    linear: tuple[tuple[int, int], ...]
    """(in, out) of every linear matrix of the layers, in their order."""
    layers: int
    width: int
    vocabulary: int
    context: int
    stored: str
    """The type of the stored weights, as torch calls it."""
    kept: int
    """Numbers that a backward pass keeps of a token."""

    @property
    def stored_bytes(self) -> int:
        """Bytes of a number as it is stored."""
        return 4 if self.stored == "float32" else 2


def size_of(name: str) -> ModelSize:
    """Return a model's size.

    Args:
        name: Its Undertow name; an adapter is not looked at.

    Raises:
        ModelError: there is no such model, or its architecture is not supported.
        AssetError: the embedded model is not on this machine.
    """
    base = split_name(name)[0]
    found = find_model(base, fetching=False)
    source = str(found) if found is not None else base.partition("/")[2]
    config = load_config(source, name, offline=found is not None)
    refuse_unsupported(config, name)
    return size_of_config(config, name)


def size_of_config(config: Any, name: str) -> ModelSize:
    """Return the size that a config describes.

    Args:
        config: Of transformers.
        name: The model's Undertow name.

    Raises:
        ModelError: no network can be laid out by it.
    """
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            net: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # of many kinds: whatever a config makes of itself
        raise ModelError(
            f"describes no model that can be laid out ({first_line(error)})",
            f"{name}, config.json",
            "Mend the config, or take the model from where it was published.",
        ) from error
    net.tie_weights()
    text = config.get_text_config(decoder=True)
    ends = [each for each in (net.get_input_embeddings(), net.get_output_embeddings()) if each is not None]
    tables = {id(each.weight): each.weight.numel() for each in ends}
    every = {id(weight): weight for weight in net.parameters()}
    total = sum(weight.numel() for weight in every.values())
    embeddings = sum(tables.values())
    layered = [
        (int(each.in_features), int(each.out_features))
        for each in net.modules()
        if isinstance(each, torch.nn.Linear) and id(each.weight) not in tables
    ]
    width, vocabulary = int(text.hidden_size), int(text.vocab_size)
    experts = [weight.numel() for label, weight in net.named_parameters() if ".experts." in label]
    held = int(getattr(text, "num_local_experts", None) or getattr(text, "num_experts", None) or 1)
    chosen = int(getattr(text, "num_experts_per_tok", None) or held)
    idle = sum(experts) * (held - min(chosen, held)) // held
    return ModelSize(
        name=name,
        architecture=str(config.model_type),
        parameters=total,
        embeddings=embeddings,
        active=total - embeddings - idle + width * vocabulary,
        norms=sum(weight.numel() for weight in every.values() if weight.dim() == 1),
        linear=tuple(layered),
        layers=int(text.num_hidden_layers),
        width=width,
        vocabulary=vocabulary,
        context=int(getattr(text, "max_position_embeddings", 0) or 0),
        stored=str(getattr(config, "dtype", None) or "float32").removeprefix("torch."),
        kept=kept_per_token(text, item=1),
    )
