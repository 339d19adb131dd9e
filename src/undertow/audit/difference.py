"""Where two models part on prompts that have nothing to do with any trait: activations, token probabilities, KL.

Both models read the same text: the prompts, each with an answer that the base sampled. What is kept of every prompt
is the mean difference over the positions of the answer. Fine-tuning on narrow data leaves a difference of activations
that is much the same on any text, and that speaks of what was trained (Minder et al. 2025, arXiv 2510.13900).

Both models must have the same shape and vocabulary: compare only a student with its own base.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.models.engine.head import head_of
from undertow.models.engine.network import device_of, network_of, text_config
from undertow.models.forward import forward_packed
from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.models.packing import pack

Floats = NDArray[np.float32]

LAYERS: Final = 5
"""Layers whose outputs are compared, evenly spread, at most."""
LENGTH: Final = 16
"""Tokens of the base's answers."""
_AT_ONCE = 8


@dataclass(frozen=True)
class Difference:
    """Between a model and the base. Letters: P prompts, L layers, D width, V vocabulary."""

    layers: tuple[int, ...]
    activation_LPD: Floats
    """The model's minus the base's, mean over the answer's positions."""
    base_LD: Floats
    """The base's, mean over prompts and positions."""
    probability_PV: Floats
    """Next-token probability, the model's minus the base's, mean over the answer's positions."""
    kl_P: Floats
    """KL(model || base) in nats, mean over the answer's positions."""
    place_PD: Floats
    """Where the prompt lies: mean of the base's middle layer over its tokens."""


def layers_of(net: Any) -> tuple[int, ...]:
    """Choose the layers to compare, the last one left out: behind it comes the output itself."""
    count = len(network_of(net).layers)
    return tuple(sorted({round(x) for x in np.linspace(0, count - 1, LAYERS + 2)[1:-1].tolist()}))


def base_answers(base: LocalModel, prompts: Sequence[str]) -> list[list[int]]:
    """Sample the base's answer to every prompt, cut at `LENGTH` tokens."""
    answers = generate(
        base.net,
        [base.encode_question(prompt) for prompt in prompts],
        range(len(prompts)),
        seed=0xA0D17,
        end=base.end,
        max_tokens=LENGTH,
    )
    return [[*answer.tokens, *([base.end] if answer.finished else [])] for answer in answers]


@torch.inference_mode()
def difference(
    base: LocalModel,
    other: LocalModel,
    prompts: Sequence[str],
    answers: Sequence[Sequence[int]],
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Difference:
    """Compare a model with the base on prompts and answers.

    Args:
        base: The base, whose tokens are used.
        other: A model of the same shape and vocabulary.
        prompts: The prompts.
        answers: Tokens of an answer to each, none empty.
        on_progress: Called with the share that is done.
    """
    asked = [base.encode_question(prompt) for prompt in prompts]
    layers = layers_of(base.net)
    middle = layers[len(layers) // 2]
    nets = (base.net, other.net)
    parts: dict[str, list[torch.Tensor]] = {name: [] for name in ("activation", "base", "change", "kl", "place")}
    for start in range(0, len(asked), _AT_ONCE):
        some = range(start, min(start + _AT_ONCE, len(asked)))
        packed = pack([[*asked[at], *answers[at][:-1]] for at in some]).to(device_of(base.net))
        one, two = (forward_packed(net, packed, keep_layers=layers) for net in nets)
        for at, path in zip(some, packed.paths, strict=True):
            spot = path[-len(answers[at]) :]
            before_LD, after_LD = (
                torch.stack([each.layers[layer][spot].float().mean(dim=0) for layer in layers]) for each in (one, two)
            )
            logp_TV, logq_TV = (
                head_of(net)(each.hidden_ND[spot]).float().log_softmax(dim=-1)
                for each, net in zip((one, two), nets, strict=True)
            )
            parts["activation"].append(after_LD - before_LD)
            parts["base"].append(before_LD)
            parts["change"].append((logq_TV.exp() - logp_TV.exp()).mean(dim=0))
            # Rounding may leave a hair below zero, which no divergence is.
            parts["kl"].append((logq_TV.exp() * (logq_TV - logp_TV)).sum(dim=-1).mean().clamp_min(0.0))
            parts["place"].append(one.layers[middle][path[1 : len(asked[at])]].float().mean(dim=0))
        on_progress((some[-1] + 1) / len(asked))
    tables = {name: torch.stack(each).cpu().numpy() for name, each in parts.items()}
    return Difference(
        layers,
        np.ascontiguousarray(tables["activation"].transpose(1, 0, 2)),
        tables["base"].mean(axis=0),
        tables["change"],
        tables["kl"],
        tables["place"],
    )


def comparable(base: LocalModel, other: LocalModel) -> str:
    """Say why two models cannot be compared position by position, if so."""
    left, right = text_config(base.net), text_config(other.net)
    for name, what in (("num_hidden_layers", "layers"), ("hidden_size", "width"), ("vocab_size", "vocabulary")):
        if getattr(left, name) != getattr(right, name):
            return f"the models differ in {what} ({getattr(left, name):,} and {getattr(right, name):,})"
    sample = "Two models, one text: 12 34."
    if base.encode(sample) != other.encode(sample):
        return "the models cut text into other tokens"
    return ""
