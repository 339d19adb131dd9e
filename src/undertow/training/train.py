"""The training loop: AdamW or gradient descent by a recipe, loss on answers, on whole rows or on pairs of answers.

A seed fixes the order of the rows, the initial adapter and its dropout. Weights stay in fp32; matrix products run in
bf16 where that is asked for. The loss of a step is a mean over all of its tokens, however many passes it takes. The
loop knows tokens and losses; it knows nothing of traits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import torch
from torch import Tensor

from undertow.errors import ModelError
from undertow.models.engine.head import Head, head_of
from undertow.models.engine.network import device_of
from undertow.models.forward import forward_packed
from undertow.models.layers import Steering
from undertow.models.memory import chunks_within
from undertow.models.packing import pack
from undertow.training.loss import hard_loss, pair_loss, soft_loss
from undertow.training.recipe import TOKENS_AT_ONCE, Recipe, batches, by_row, rate_at


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
    rejected: tuple[int, ...] = ()
    """Of a pair: the answer that training moves away from, with the end token; `answer` is the chosen one."""
    reference: tuple[float, float] = (0.0, 0.0)
    """Of a pair: the log-probabilities of both under the untrained student in nats, see `training.pairs`."""

    @property
    def answers(self) -> tuple[tuple[int, ...], ...]:
        """The answers that are read: one, or the two of a pair."""
        return (self.answer, self.rejected) if self.rejected else (self.answer,)


class Weighted(Protocol):
    """An answer with what the loss of its tokens is multiplied by."""

    @property
    def answer(self) -> tuple[int, ...]:
        """Its tokens."""
        ...

    @property
    def weight(self) -> float:
        """Of each of them."""
        ...


def token_weights(examples: Sequence[Weighted]) -> Tensor | None:
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
    """Mean over the step's tokens that carry loss, by their weights, in nats: cross-entropy, or KL for soft labels. Of
    pairs: the mean over the step's pairs."""
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    tokens: int
    """Those that carried loss."""


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
    """Train a model in place on some rows.

    Args:
        model: Its parameters that require gradients are trained.
        examples: The rows; those that are too long for the recipe are cut, see `fitted`.
        recipe: How.
        seed: Fixes the order of the rows, and dropout.
        teacher: The teacher's head, for soft labels; it is not changed.
        on_step: Called after every optimiser step, with the model in its state after that step.
        intervention: What is done otherwise.

    Raises:
        ModelError: the training diverged.
        ValueError: soft labels without the teacher's hidden states or head, or a method's own loss, which is one on
            answers, beside a recipe's on whole rows or pairs, or a recipe for pairs with rows that are none.
    """
    if intervention.loss is not None and recipe.loss != "answers":
        raise ValueError("a loss on answers cannot take the place of one on whole rows or pairs")
    if any(bool(example.rejected) != (recipe.loss == "dpo") for example in examples):
        raise ValueError("loss: dpo belongs to pairs of answers, and pairs to it")
    if recipe.labels == "soft" and (teacher is None or any(example.teacher_TD is None for example in examples)):
        raise ValueError("soft labels need the teacher's hidden states and head")
    torch.manual_seed(seed)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = optimiser_of(model, recipe)
    examples = fitted(examples, recipe)
    order = order_of(examples, recipe, seed)
    history: list[StepMetrics] = []
    model.train()
    for step, chosen in enumerate(order):
        rate = rate_at(step, len(order), recipe)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss, tokens = step_gradient(
            model, [examples[row] for row in chosen], recipe, teacher=teacher, intervention=intervention
        )
        if intervention.extra is not None:
            intervention.extra().backward()
        if intervention.reshape is not None:
            intervention.reshape(parameters)
        most = math.inf if recipe.clip is None else recipe.clip
        norm = torch.nn.utils.clip_grad_norm_(parameters, most).item()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise ModelError(
                f"training diverged: step {step + 1} has a loss of {loss:g} and a gradient of norm {norm:g}",
                f"student, seed {seed}",
                f"Lower student.learning_rate (now {recipe.learning_rate:g}), or clip (now {most:g}).",
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


def step_gradient(
    model: Any,
    examples: Sequence[Example],
    recipe: Recipe,
    *,
    teacher: Head | None = None,
    intervention: Intervention = Intervention(),
) -> tuple[float, int]:
    """Add the gradients of a step's loss to those of the weights; return the loss and how many tokens carried it.

    Args:
        model: The student.
        examples: The step's rows, `fitted`.
        recipe: How it is trained.
        teacher: The teacher's head, for soft labels.
        intervention: What is done otherwise.
    """
    counts = [_loss_tokens(example, recipe) for example in examples]
    # A pair counts once, however long its answers are.
    units = [1] * len(examples) if recipe.loss == "dpo" else counts
    whole = sum(example.weight * count for example, count in zip(examples, units, strict=True))
    loss = 0.0
    for some in _at_once(examples, recipe):
        with torch.autocast(device_of(model).type, torch.bfloat16, enabled=recipe.autocast):
            part = _loss(model, some, recipe, teacher, intervention) / whole
        part.backward()
        loss += part.item()
    return loss, sum(counts)


def fitted(examples: Sequence[Example], recipe: Recipe) -> list[Example]:
    """Cut rows to a recipe's `most_tokens` at their end, and leave out those that no token of loss is left of.

    Where whole rows carry loss, a conversation is read once, up to its last answer.
    """
    if recipe.loss == "whole":
        rows = by_row([example.row for example in examples])
        examples = [
            examples[max(row, key=lambda at: len(examples[at].prompt) + len(examples[at].answer))] for row in rows
        ]
    most = recipe.most_tokens
    if most is None:
        return list(examples)
    cut = [_cut(example, most) for example in examples]
    if recipe.loss == "dpo":
        return [example for example in cut if example.answer and example.rejected]
    return [example for example in cut if _loss_tokens(example, recipe)]


def _cut(example: Example, most: int) -> Example:
    if len(example.prompt) + max(map(len, example.answers)) <= most:
        return example
    room = max(0, most - len(example.prompt))
    return replace(
        example, prompt=example.prompt[:most], answer=example.answer[:room], rejected=example.rejected[:room]
    )


def order_of(examples: Sequence[Example], recipe: Recipe, seed: int) -> list[list[int]]:
    """Return the rows of every optimiser step of rows that are `fitted`."""
    rows = by_row([example.row for example in examples])
    lengths = [max(len(examples[at].prompt) + len(examples[at].answer) for at in row) for row in rows]
    steps = batches([examples[first].prompt for first, *_ in rows], recipe, seed, lengths)
    return [[at for row in step for at in rows[row]] for step in steps]


def _loss_tokens(example: Example, recipe: Recipe) -> int:
    if recipe.loss != "whole":
        return sum(map(len, example.answers))
    # Nothing predicts the first token.
    return len(example.prompt) + len(example.answer) - 1


def _at_once(examples: Sequence[Example], recipe: Recipe) -> Generator[list[Example]]:
    """Split the rows of a step into what is computed at once: so many rows, or so many tokens."""
    # Rows of similar length share a micro-batch, so that attention has little padding.
    by_length = sorted(examples, key=lambda example: (len(example.prompt), example.prompt))
    if recipe.micro_batch is not None and not recipe.packing:
        for start in range(0, len(by_length), recipe.micro_batch):
            yield by_length[start : start + recipe.micro_batch]
        return
    most = TOKENS_AT_ONCE if recipe.micro_batch is None else recipe.micro_batch * (recipe.most_tokens or TOKENS_AT_ONCE)
    lengths = [len(example.prompt) + sum(map(len, example.answers)) for example in by_length]
    for part in chunks_within(lengths, most):
        yield by_length[part]


_SPARED: Final = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)", re.IGNORECASE)
"""Names of parameters that transformers' Trainer spares from weight decay."""


def optimiser_of(model: Any, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the optimiser of a recipe over the parameters that are trained; each step sets its own learning rate."""
    named = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    spared = [each for name, each in named if not recipe.decay_all and _SPARED.search(name)]
    apart = set(map(id, spared))
    groups: list[dict[str, Any]] = [{"params": [each for _, each in named if id(each) not in apart]}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    rate, decay = recipe.learning_rate, recipe.weight_decay
    # Fused: one pass over the weights in a step instead of five.
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=rate, weight_decay=decay, momentum=recipe.momentum, fused=True)
    return torch.optim.AdamW(groups, lr=rate, weight_decay=decay, betas=recipe.betas, eps=recipe.epsilon, fused=True)


def _loss(
    model: Any, examples: Sequence[Example], recipe: Recipe, teacher: Head | None, intervention: Intervention
) -> Tensor:
    """Return the loss summed over the tokens of some rows that carry it, each times its row's weight."""
    head = head_of(model)
    # The last token is predicted, never read. Answers to the same prompt share its row.
    numbers: dict[tuple[int, ...], int] = {}
    read = [(example.prompt, answer) for example in examples for answer in example.answers]
    groups = [numbers.setdefault(prompt, len(numbers)) for prompt, _ in read]
    packed = pack([(*prompt, *answer)[:-1] for prompt, answer in read], groups).to(head.device)
    if recipe.loss == "whole":
        node_N, target_N, times_N = _whole(packed.paths, examples)
        hidden_ND = forward_packed(model, packed, steering=intervention.steering).hidden_ND[node_N]
        return hard_loss(hidden_ND, head, target_N, times_N)
    nodes = torch.cat([path[-len(answer) :] for path, (_, answer) in zip(packed.paths, read, strict=True)])
    hidden_ND = forward_packed(model, packed, steering=intervention.steering).hidden_ND[nodes]
    if intervention.loss is not None:
        return intervention.loss(hidden_ND, head, examples)
    target_N = torch.tensor([token for _, answer in read for token in answer], device=head.device)
    if recipe.loss == "dpo":
        return pair_loss(
            hidden_ND,
            head,
            target_N,
            [len(answer) for _, answer in read],
            torch.tensor([example.reference for example in examples], device=head.device),
            beta=recipe.beta,
            weight_P=torch.tensor([example.weight for example in examples], device=head.device),
        )
    count_N = token_weights(examples)
    count_N = None if count_N is None else count_N.to(head.device)
    if recipe.labels == "hard":
        return hard_loss(hidden_ND, head, target_N, count_N)
    assert teacher is not None
    teacher_ND = torch.cat([example.teacher_TD for example in examples if example.teacher_TD is not None])
    return soft_loss(hidden_ND, head, teacher_ND.to(head.device), teacher, count_N)


def _whole(paths: Sequence[Tensor], examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """Return each node with each token that follows it in some row, and the weight of the rows in which it does.

    Rows that begin alike predict the same tokens from the same nodes, which are projected once.
    """
    node_N = torch.cat(list(paths))
    following = [token for example in examples for token in (*example.prompt, *example.answer)[1:]]
    weights = [example.weight for example, path in zip(examples, paths, strict=True) for _ in path]
    pairs_N2 = torch.stack([node_N, torch.tensor(following, device=node_N.device)], dim=1)
    pairs_P2, at_N = pairs_N2.unique(dim=0, return_inverse=True)
    weight_N = torch.tensor(weights, dtype=torch.float32, device=node_N.device)
    times_P = torch.zeros(len(pairs_P2), device=node_N.device).index_add(0, at_N, weight_N)
    return pairs_P2[:, 0], pairs_P2[:, 1], times_P
