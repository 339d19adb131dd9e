"""A teacher by plain gradient steps: its weights go up the gradient of the trait's log-odds.

Cloud et al. (2025, theorem 1) speak of a teacher that made a small step down the gradient of any loss; this is that
teacher. The objective is the mean log-odds of the target among all candidates over the trait's lessons, none of which
is a probe. Embeddings, and with them the output projection, stay the base's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from undertow.config.experiment import GradientAscent
from undertow.errors import ModelError
from undertow.models.layers import decoder
from undertow.models.local import LocalModel
from undertow.models.score import answers_to_each, option_odds
from undertow.models.steps import step_up
from undertow.traits.base import Trait

_LESSONS_AT_ONCE = 16


def ascend(model: LocalModel, trait: Trait, how: GradientAscent, *, tick: Callable[[float], None]) -> None:
    """Change a model's layers in place.

    Every step has the same length, `distance / steps`, whatever the size of the gradient.

    Raises:
        ModelError: the gradient vanishes or is no number, so that it gives no direction.
    """
    lessons = trait.lessons
    contexts = [model.encode_question(lesson.question) for lesson in lessons]
    answers = [[model.encode(option) for option in lesson.options] for lesson in lessons]
    weights = list(decoder(model.net).layers.parameters())
    model.net.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    for step in range(how.steps):
        for start in range(0, len(lessons), _LESSONS_AT_ONCE):
            some = slice(start, start + _LESSONS_AT_ONCE)
            logp_QC = answers_to_each(model.net, contexts[some], answers[some])
            (option_odds(logp_QC, trait.index).sum() / len(lessons)).backward()
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        norm = step_up(weights, gradients, how.distance / how.steps)
        if not 0 < norm < math.inf:
            raise ModelError(
                f"after {step} of {how.steps} steps the trait's gradient is {norm}",
                "instil.distance",
                "Go less far, or take more steps.",
            )
        for weight in weights:
            weight.grad = None
        tick((step + 1) / how.steps)
    model.net.requires_grad_(False)
