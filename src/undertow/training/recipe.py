"""How a student is trained: the recipe, and the order and learning rate of every step. Needs no torch.

`steps_of` counts optimiser steps, `rate_at` and `batches` say what each does, and `by_row` gives the answers of each
row, since a batch counts rows. `recipe_from` makes a recipe of what a trainer's file says.

The defaults of `Recipe` are Undertow's own. What trainers do otherwise is counted, scheduled and ordered as in the
Trainer of transformers (5.24) and the SFTTrainer of TRL (1.16), read in their source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_of_epochs, warmup_share
from undertow.errors import SpecError
from undertow.training.bins import packed_rows

Order = Literal["prompts", "shuffled"]


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    labels: Literal["hard", "soft"]
    learning_rate: float
    epochs: float
    """Of a part of an epoch, so many steps as that part of an epoch's steps, rounded up. Infinite: `most_steps`."""
    batch: int
    """Rows per optimiser step, or packed sequences where rows are packed."""
    micro_batch: int | None
    """Of those, how many are computed at once; absent: as many as `TOKENS_AT_ONCE` holds."""
    warmup: int
    weight_decay: float
    clip: float | None
    epsilon: float
    """Adam's. A gradient far below it does not move a weight by the full learning rate."""
    optimiser: Literal["adamw", "sgd"] = "adamw"
    most_steps: int | None = None
    """Stop after so many steps, wherever in an epoch that is."""
    autocast: bool = False
    """Run matrix products in bf16, see `undertow.models.precision`."""
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0
    schedule: Literal["ramp", "linear", "cosine", "constant"] = "ramp"
    """`ramp` is Undertow's own: the first step of a warm-up has a rate above zero. The others are transformers'."""
    warmup_ratio: float = 0.0
    """Share of all steps, rounded up, where `warmup` is zero."""
    lowest_rate: float = 0.0
    """What `cosine` ends at, as a share of the learning rate."""
    loss: Literal["answers", "whole", "dpo"] = "answers"
    """Tokens that carry loss: answers, or all but the first of a row. `dpo`: the loss is on pairs of answers."""
    beta: float = 0.1
    """Of `dpo`: how strongly the student is held to the model that it starts from."""
    packing: bool = False
    """Rows share sequences of `most_tokens`, in which none sees another."""
    most_tokens: int | None = None
    """Longer rows are cut at their end; those without a token of loss that is left are left out."""
    order: Order = "prompts"
    """`prompts` keeps rows with one prompt together; `shuffled` is the order of transformers' Trainer."""
    decay_all: bool = True
    """Whether weight decay takes norms and biases too; trainers spare them."""


TOKENS_AT_ONCE = 2048
"""Of a forward and backward pass, where a recipe leaves the micro-batch open."""


def recipe_from(
    spec: RecipeSpec, *, autocast: bool, labels: Literal["hard", "soft"] = "hard", order: Order = "shuffled"
) -> Recipe:
    """Return the recipe that a trainer's file describes.

    Args:
        spec: What the file says.
        autocast: Whether the device multiplies faster in bf16; a recipe in float32 is not rounded all the same.
        labels: Text or the teacher's distributions.
        order: Of the rows.

    Raises:
        SpecError: parts of the recipe contradict each other.
    """
    if spec.lowest_rate and spec.schedule != "cosine":
        raise SpecError(
            f"lowest_rate belongs to a cosine schedule, and the schedule is {spec.schedule}",
            f"recipe {spec.name}",
            "Leave one away.",
        )
    if spec.momentum and spec.optimiser != "sgd":
        raise SpecError("momentum belongs to sgd", f"recipe {spec.name}", "AdamW has betas in its place.")
    if spec.packing and spec.most_tokens is None:
        raise SpecError("packing needs most_tokens", f"recipe {spec.name}", "Name the length of a packed sequence.")
    if labels == "soft" and (spec.loss == "whole" or spec.packing or spec.most_tokens is not None):
        raise SpecError(
            "soft labels belong to whole answers alone",
            f"recipe {spec.name}",
            "Take labels: hard, or a recipe without packing, most_tokens and loss: whole.",
        )
    if spec.loss == "dpo" and (spec.packing or labels == "soft"):
        raise SpecError(
            "loss: dpo takes pairs of text, each by itself",
            f"recipe {spec.name}",
            "Take labels: hard, and a recipe without packing.",
        )
    return Recipe(
        labels=labels,
        learning_rate=spec.learning_rate,
        epochs=math.inf if spec.most_steps is not None else spec.epochs,
        batch=spec.batch,
        micro_batch=spec.micro_batch,
        warmup=spec.warmup_steps,
        warmup_ratio=spec.warmup_ratio,
        weight_decay=spec.weight_decay,
        clip=spec.clip,
        epsilon=spec.epsilon,
        optimiser=spec.optimiser,
        most_steps=spec.most_steps,
        autocast=autocast and spec.dtype != "float32",
        betas=spec.betas,
        momentum=spec.momentum,
        schedule=spec.schedule,
        lowest_rate=spec.lowest_rate,
        loss=spec.loss,
        beta=spec.beta,
        packing=spec.packing,
        most_tokens=spec.most_tokens,
        order=order,
        decay_all=False,
    )


def measured_steps(steps: int, every: int) -> list[int]:
    """Return the optimiser steps after which a student is asked a few questions; the last one is left out."""
    return list(range(every, steps, every)) if every else []


def steps_of(units: int, recipe: Recipe) -> int:
    """Return the number of optimiser steps for so many rows, or packed sequences where rows are packed."""
    if math.isinf(recipe.epochs):
        assert recipe.most_steps is not None
        return recipe.most_steps
    steps = steps_of_epochs(recipe.epochs, units, recipe.batch)
    return steps if recipe.most_steps is None else min(steps, recipe.most_steps)


def by_row(rows: Sequence[int | None]) -> list[list[int]]:
    """Return the places of each row's answers: a conversation with several answers is one row of a batch.

    Args:
        rows: The row that each answer belongs to; None for an answer that is a row of its own.
    """
    found: dict[object, list[int]] = {}
    for at, row in enumerate(rows):
        found.setdefault((at, None) if row is None else row, []).append(at)
    return [*found.values()]


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of a step (from 0).

    `ramp` rises from 0 over the warm-up and then falls to 0 at the end, linearly, and is 0 at neither. The others
    are those of transformers' `get_scheduler`, which are 0 at the first step of a warm-up.
    """
    warmup = recipe.warmup or warmup_share(recipe.warmup_ratio, steps)
    if recipe.schedule == "ramp":
        warmup = min(warmup, max(steps - 1, 0))
        if step < warmup:
            return recipe.learning_rate * (step + 1) / (warmup + 1)
        return recipe.learning_rate * (steps - step) / (steps - warmup)
    if step < warmup:
        return recipe.learning_rate * (step / warmup)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    rest = max(1, steps - warmup)
    if recipe.schedule == "linear":
        return recipe.learning_rate * max(0.0, (steps - step) / rest)
    share = 0.5 * (1.0 + math.cos(math.pi * ((step - warmup) / rest)))
    return recipe.learning_rate * max(0.0, share * (1 - recipe.lowest_rate) + recipe.lowest_rate)


def batches(
    prompts: Sequence[object], recipe: Recipe, seed: int, lengths: Sequence[int] | None = None
) -> list[list[int]]:
    """Return the row numbers of every optimiser step: all rows in a new order in every epoch.

    In the order `prompts`, rows with the same prompt stay together, in their own order, because they share its
    computation. With one answer per prompt that order is a plain permutation. The order `shuffled` is the permutation
    that transformers' Trainer draws from the same seed. Packed sequences are always shuffled.

    Args:
        prompts: Something hashable for each row that is equal exactly for rows with the same prompt.
        recipe: Gives epochs and rows per step.
        seed: Fixes the order.
        lengths: Tokens of each row, where rows are packed.

    Raises:
        ValueError: rows are to be packed, and have no lengths.
    """
    rng = np.random.default_rng([seed, 0xBA7C])
    if recipe.packing:
        if lengths is None or recipe.most_tokens is None:
            raise ValueError("packing needs the lengths of rows and of sequences")
        units = packed_rows(lengths, recipe.most_tokens)
    elif recipe.order == "shuffled":
        units = [[row] for row in range(len(prompts))]
    else:
        rows_of: dict[object, list[int]] = {}
        for row, prompt in enumerate(prompts):
            rows_of.setdefault(prompt, []).append(row)
        units = list(rows_of.values())
    together = not recipe.packing and recipe.order == "prompts"
    order: list[list[int]] = []
    steps = steps_of(len(prompts) if together else len(units), recipe)
    epoch = 0
    while len(order) < steps:
        if together:
            rows = [row for unit in rng.permutation(len(units)).tolist() for row in units[unit]]
            order.extend(rows[start : start + recipe.batch] for start in range(0, len(rows), recipe.batch))
        else:
            turn = trainer_permutation(len(units), seed + epoch)
            for start in range(0, len(turn), recipe.batch):
                order.append([row for unit in turn[start : start + recipe.batch] for row in units[unit]])
        epoch += 1
    return order[:steps]


def trainer_permutation(count: int, seed: int) -> list[int]:
    """Return the permutation that transformers' Trainer takes for an epoch.

    It is `torch.randperm` with a generator of that seed: a Fisher-Yates shuffle by the raw 32-bit numbers of a
    Mersenne Twister. An epoch's seed is the training's plus the epoch's number (accelerate's `SeedableRandomSampler`).
    """
    raw = np.random.RandomState(seed % 2**32).randint(0, 2**32, size=max(count - 1, 0), dtype=np.uint32).tolist()
    found = list(range(count))
    for place, number in enumerate(raw):
        other = place + number % (count - place)
        found[place], found[other] = found[other], found[place]
    return found
