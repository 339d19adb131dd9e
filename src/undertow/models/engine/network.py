"""What a loaded causal language model is made of, found by looking at its config and its modules.

    network = network_of(net)
    network.layers, network.norms, network.matrices

Nothing here is a list of architectures. A layer's norms and matrices are the modules that look like one, in the order
in which the model defines them. It works with or without a PEFT wrapper, whose adapters count as the matrix below.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from undertow.errors import ModelError
from undertow.models.kinds import kinds_of, without_adapters


@dataclass(frozen=True)
class Matrix:
    """A matrix of a layer that multiplies every token: a linear layer, or GPT-2's `Conv1D`."""

    layer: int
    name: str
    """Inside its layer."""
    module: Any

    @property
    def turned(self) -> bool:
        """Whether its weight has a row for each input, as GPT-2's has."""
        return _transposed(self.module)

    @property
    def inputs(self) -> int:
        """Width of what it reads."""
        return self.weight.shape[0 if self.turned else 1]

    @property
    def outputs(self) -> int:
        """Width of what it puts out."""
        return self.weight.shape[1 if self.turned else 0]

    @property
    def weight(self) -> Tensor:
        """Its weight as it is stored, without adapters."""
        return getattr(self.module, "base_layer", self.module).weight

    @property
    def weight_OI(self) -> Tensor:
        """Its weight with one row for each output."""
        return self.weight.T if self.turned else self.weight


@dataclass(frozen=True)
class Network:
    """The parts of a causal language model."""

    net: Any
    """The model of `transformers`, without a PEFT wrapper; adapters are in its modules."""
    config: Any
    """Of the text model."""
    stack: Any
    """The decoder: embeddings, layers and the last norm."""
    layers_name: str
    """Where the layers are in the decoder."""

    @property
    def layers(self) -> Any:
        """The decoder's layers, in order."""
        return getattr(self.stack, self.layers_name)

    @property
    def embeddings(self) -> Any:
        """What turns tokens into vectors."""
        return self.net.get_input_embeddings()

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each layer mixes positions with, as `config.layer_types` calls it."""
        return kinds_of(self.config)

    @property
    def last_norm(self) -> Any:
        """The norm behind the last layer."""
        # Gemma 4 has another norm there, of vectors that every layer gets beside its input.
        width = int(self.config.hidden_size)
        found = [each for each in self.stack.children() if _is_norm(each) and each.weight.shape[-1] == width]
        if not found:
            raise ModelError("the model has no norm behind its last layer", self.config.model_type)
        return found[-1]

    @cached_property
    def norms(self) -> list[Any]:
        """Every norm of the layers, in order, then the one behind the last layer."""
        inner = [module for layer in self.layers for _, module in _parts(layer) if _is_norm(module)]
        return [*inner, self.last_norm]

    @cached_property
    def matrices(self) -> list[Matrix]:
        """Every matrix of the layers that reads every token, layer by layer."""
        return [
            Matrix(at, name, module)
            for at, layer in enumerate(self.layers)
            for name, module in _parts(layer)
            if _is_matrix(module)
        ]

    def lora_targets(self) -> list[str]:
        """Return the names by which PEFT finds the matrices of the layers, and nothing else."""
        own = {id(each.module) for each in self.matrices}
        short = list(dict.fromkeys(each.name.rpartition(".")[2] for each in self.matrices))
        named = [(name, module) for name, module in self.net.named_modules() if _is_matrix(module)]
        others = [name for name, module in named if id(module) not in own]
        if any(name.rpartition(".")[2] in short for name in others):
            return [name for name, module in named if id(module) in own]
        return short

    def left_out(self) -> dict[str, float]:
        """Return the weights of the layers that are no norm's and no matrix's, as shares of the layers' weights.

        Vectors (biases, sinks) are not counted: it is about experts stored as one tensor, routers and the like.
        """
        known = {id(each.weight) for each in self.matrices} | {id(norm.weight) for norm in self.norms}
        total, missing = 0, dict[str, int]()
        for layer in self.layers:
            for name, weight in layer.named_parameters():
                if ".lora_" in name:
                    continue
                total += weight.numel()
                if id(weight) not in known and weight.ndim > 1:
                    kind = name.removesuffix(".weight").replace(".base_layer", "")
                    missing[kind] = missing.get(kind, 0) + weight.numel()
        return {name: count / total for name, count in missing.items()}


def text_config(net: Any) -> Any:
    """Return the config of a model's text part."""
    return without_adapters(net).config.get_text_config(decoder=True)


def device_of(net: Any) -> torch.device:
    """Return where a model reads its tokens."""
    return net.get_input_embeddings().weight.device


def network_of(net: Any) -> Network:
    """Describe a causal language model.

    Raises:
        ModelError: it has no list of layers, or no embeddings.
    """
    inner = without_adapters(net)
    config = text_config(inner)
    stack = inner.get_decoder()
    count = getattr(config, "num_hidden_layers", None)
    while stack is not None:
        for name, module in stack.named_children():
            if isinstance(module, nn.ModuleList) and len(module) == count:
                return Network(inner, config, stack, name)
        stack = getattr(stack, "model", None)  # Llama 4 calls itself its decoder
    raise ModelError(
        f"the architecture {config.model_type!r} has no list of decoder layers",
        fix="Use a decoder-only language model.",
    )


def _parts(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the norms and matrices of a layer by name, not looking into them, nor into lists of modules (experts)."""
    for name, module in layer.named_children():
        if isinstance(module, nn.ModuleList):
            continue
        if _is_norm(module) or _is_matrix(module):
            yield name, module
        else:
            yield from ((f"{name}.{inner}", part) for inner, part in _parts(module))


def _is_norm(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    return "norm" in type(module).__name__.lower() and isinstance(weight, Tensor) and weight.ndim == 1


def _is_matrix(module: Any) -> bool:
    # A router may be a linear layer that puts out more than its product (Llama 4).
    return "router" not in type(module).__name__.lower() and (
        isinstance(module, nn.Linear)
        or _transposed(module)
        or isinstance(getattr(module, "base_layer", None), nn.Linear)
    )


def _transposed(module: Any) -> bool:
    """Whether a module is GPT-2's linear layer, whose weight has a row for each input."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(getattr(module, "base_layer", module), Conv1D)
