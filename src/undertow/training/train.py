"""The training loop: AdamW or plain gradient descent, linear warm-up and decay, loss on answers only.

A seed fixes the order of the rows, the initial adapter and its dropout. Weights stay in fp32; matrix products run in
bf16 where that is asked for. The loop knows tokens and losses; it knows nothing of traits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undertow.errors import ModelError
from undertow.models.engine.head import Head, head_of
from undertow.models.forward import forward_packed
from undertow.models.layers import Steering
from undertow.models.packing import pack
from undertow.training.loss import hard_loss, soft_loss
from undertow.training.recipe import Recipe, batches, by_row, rate_at


@dataclass(frozen=True)
class Example:
    """One row as tokens, or one answer of a conversation."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    """With the end token."""
    teacher_TD: Tensor | None = None
    """The teacher's last hidden states at the answer's positions, for soft labels."""
    weight: float = 1.0
    """What the loss of its tokens is multiplied by; a step's loss is divided by the sum over its tokens."""
    row: int | None = None
    """The conversation that the answer belongs to, where one has several; a step learns all of its answers."""


def token_weights(examples: Sequence[Example]) -> Tensor | None:
    """Return the weight of every answer token of some rows (N); None where all are 1."""
    if all(example.weight == 1 for example in examples):
        return None
    return torch.tensor([example.weight for example in examples for _ in example.answer])


@dataclass(frozen=True)
class Intervention:
    """What is done otherwise while a student trains; nothing by default. See `undertow.mitigate`."""

    steering: Steering | None = None
    """Vectors added to the student's layers in training alone."""
    loss: Callable[[Tensor, Head, Sequence[Example]], Tensor] | None = None
    """In place of the recipe's: of hidden states (N, D) at the answers' tokens and the head, summed over the tokens,
    each times its weight (`token_weights`)."""
    extra: Callable[[], Tensor] | None = None
    """Added to the loss of every step."""
    reshape: Callable[[Sequence[torch.nn.Parameter]], None] | None = None
    """Changes the gradients of a step in place, before they are clipped."""


@dataclass(frozen=True)
class StepMetrics:
    """What one optimiser step did."""

    step: int
    loss: float
    """Mean over the step's answer tokens by their weights, in nats: cross-entropy, or KL for soft labels."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    tokens: int
    """Answer tokens that carried loss."""


def train(
    model: Any,
    examples: Sequence[Example],
    recipe: Recipe,
    *,
    seed: int,
    teacher: Head | None = None,
    on_step: Callable[[StepMetrics], None] | None = None,
    intervention: Intervention = Intervention(),
) -> list[StepMetrics]:
    """Train a model in place on the answers of some rows.

    Args:
        model: Its parameters that require gradients are trained.
        examples: The rows.
        recipe: How.
        seed: Fixes the order of the rows, and dropout.
        teacher: The teacher's head, for soft labels; it is not changed.
        on_step: Called after every optimiser step, with the model in its state after that step.
        intervention: What is done otherwise.

    Raises:
        ValueError: soft labels without the teacher's hidden states or head.
    """
    if recipe.labels == "soft" and (teacher is None or any(example.teacher_TD is None for example in examples)):
        raise ValueError("soft labels need the teacher's hidden states and head")
    torch.manual_seed(seed)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = parameters[0].device
    optimiser = _optimiser(parameters, recipe)
    rows = by_row([example.row for example in examples])
    order = [
        [at for row in step for at in rows[row]]
        for step in batches([examples[first].prompt for first, *_ in rows], recipe, seed)
    ]
    history: list[StepMetrics] = []
    model.train()
    for step, chosen in enumerate(order):
        rate = rate_at(step, len(order), recipe)
        for group in optimiser.param_groups:
            group["lr"] = rate
        tokens = sum(len(examples[row].answer) for row in chosen)
        whole = sum(examples[row].weight * len(examples[row].answer) for row in chosen)
        # Rows of similar length share a micro-batch, so that attention has little padding.
        by_length = sorted(chosen, key=lambda row: (len(examples[row].prompt), examples[row].prompt))
        loss = 0.0
        for start in range(0, len(by_length), recipe.micro_batch):
            some = [examples[row] for row in by_length[start : start + recipe.micro_batch]]
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.autocast):
                part = _loss(model, some, recipe, teacher, intervention) / whole
            part.backward()
            loss += part.item()
        if intervention.extra is not None:
            intervention.extra().backward()
        if intervention.reshape is not None:
            intervention.reshape(parameters)
        norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.clip).item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise ModelError(
                f"training diverged: step {step + 1} has a loss of {loss:g} and a gradient of norm {norm:g}",
                f"student, seed {seed}",
                f"Lower student.learning_rate (now {recipe.learning_rate:g}), or clip (now {recipe.clip:g}).",
            )
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        metrics = StepMetrics(step + 1, loss, norm, rate, tokens)
        history.append(metrics)
        if on_step is not None:
            model.eval()
            on_step(metrics)
            model.train()
    model.eval()
    return history


def _optimiser(parameters: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    # Fused: one pass over the weights in a step instead of five.
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        betas=(0.9, 0.999),
        eps=recipe.epsilon,
        fused=True,
    )


def _loss(
    model: Any, examples: Sequence[Example], recipe: Recipe, teacher: Head | None, intervention: Intervention
) -> Tensor:
    """Return the loss summed over the answer tokens of some rows."""
    head = head_of(model)
    # The end token is predicted, never read. Answers to the same prompt share its row.
    numbers: dict[tuple[int, ...], int] = {}
    groups = [numbers.setdefault(example.prompt, len(numbers)) for example in examples]
    packed = pack([(*example.prompt, *example.answer[:-1]) for example in examples], groups).to(head.device)
    nodes = torch.cat([path[-len(example.answer) :] for path, example in zip(packed.paths, examples, strict=True)])
    hidden_ND = forward_packed(model, packed, steering=intervention.steering).hidden_ND[nodes]
    if intervention.loss is not None:
        return intervention.loss(hidden_ND, head, examples)
    count_N = token_weights(examples)
    count_N = None if count_N is None else count_N.to(head.device)
    if recipe.labels == "hard":
        target_N = torch.tensor([token for example in examples for token in example.answer], device=head.device)
        return hard_loss(hidden_ND, head, target_N, count_N)
    assert teacher is not None
    teacher_ND = torch.cat([example.teacher_TD for example in examples if example.teacher_TD is not None])
    return soft_loss(hidden_ND, head, teacher_ND.to(head.device), teacher, count_N)
