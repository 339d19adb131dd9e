"""Gradients of the norm weights for every token, from one backward pass that computes no weight gradient.

A norm puts out y = w * x^, with x^ of unit mean square, so the gradient with respect to its weights is a sum over
tokens of (dL/dy) * x^. Both factors pass by in an ordinary forward and backward pass: the layers' first matrices read
y. What is captured here is y and dL/dy; 61 norms of 576 weights stand for the 135 million weights of the embedded
model. Why these weights: `undertow.scan.directions`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from undertow.models.layers import decoder


@dataclass
class Captured:
    """What the norms put out, and the gradient of the loss with respect to that, of the pass just made.

    Letters: N tokens, D width, W norms.
    """

    weights_WD: Tensor
    outputs: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    gradients: dict[int, Tensor] = field(default_factory=dict[int, Tensor])

    def last(self, hidden_ND: Tensor) -> Tensor:
        """Watch the last norm, whose output no layer reads; returns it, to go on with."""
        self.watch(len(self.weights_WD) - 1, hidden_ND)
        return hidden_ND

    def watch(self, norm: int, output_ND: Tensor) -> None:
        self.outputs[norm] = output_ND.detach()

        def keep(gradient_ND: Tensor) -> None:
            self.gradients[norm] = gradient_ND.detach()

        output_ND.register_hook(keep)

    def per_segment(self, segment_N: Tensor, count: int) -> Tensor:
        """Return gradients of the norm weights summed over the tokens of each segment, shape (count, W * D)."""
        parts: list[Tensor] = []
        for norm, weight_D in enumerate(self.weights_WD):
            unit_ND = self.outputs[norm].float() / torch.where(weight_D == 0, torch.inf, weight_D)
            each_ND = self.gradients[norm].float() * unit_ND
            parts.append(each_ND.new_zeros(count, each_ND.shape[1]).index_add(0, segment_N, each_ND))
        return torch.cat(parts, dim=1)


@contextmanager
def captured(net: Any) -> Generator[Captured]:
    """Capture, as long as the context lasts, every norm but the last one, see `Captured.last`.

    Weights are frozen meanwhile: gradients flow through the tokens' hidden states alone.
    """
    stack = decoder(net)
    norms = [norm for layer in stack.layers for norm in (layer.input_layernorm, layer.post_attention_layernorm)]
    record = Captured(torch.stack([norm.weight.detach().float() for norm in (*norms, stack.norm)]))
    trained = [weight for weight in net.parameters() if weight.requires_grad]
    with ExitStack() as hooks:
        for weight in trained:
            weight.requires_grad_(False)
        hooks.callback(lambda: [weight.requires_grad_(True) for weight in trained])
        # Something at the bottom must ask for a gradient, or there would be no backward pass.
        embed = stack.embed_tokens.register_forward_hook(_start)
        hooks.callback(embed.remove)
        readers = [module for layer in stack.layers for module in (layer.self_attn.q_proj, layer.mlp.gate_proj)]
        for norm, module in enumerate(readers):
            hooks.callback(module.register_forward_pre_hook(_watcher(record, norm)).remove)
        yield record


def _start(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return output.detach().requires_grad_(True)


def _watcher(record: Captured, norm: int) -> Any:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        record.watch(norm, inputs[0])

    return hook
