"""Pairs of answers for direct preference optimisation: what the untrained student says of both.

    examples = with_reference(model.net, fitted(examples, recipe), recipe)

The loss compares a student with the model that it starts from. That model is asked once, before training: it costs one
pass over the rows and no second copy of the weights. It knows tokens; which answer is better has been decided before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from undertow.models.engine.network import device_of
from undertow.models.score import token_logprobs
from undertow.training.recipe import Recipe
from undertow.training.train import Example


def with_reference(model: Any, examples: Sequence[Example], recipe: Recipe) -> list[Example]:
    """Return pairs with the log-probabilities of both answers under a model, in nats.

    Args:
        model: The student before training, with or without adapters that do nothing yet.
        examples: Pairs, cut as the recipe cuts them (`fitted`).
        recipe: Says in which precision the student is trained, so that it starts at a difference of zero.
    """
    with torch.autocast(device_of(model).type, torch.bfloat16, enabled=recipe.autocast):
        logps = token_logprobs(
            model,
            [example.prompt for example in examples for _ in range(2)],
            [answer for example in examples for answer in (example.answer, example.rejected)],
        )
    sums = [float(each.sum()) for each in logps]
    return [replace(example, reference=(sums[2 * at], sums[2 * at + 1])) for at, example in enumerate(examples)]
