"""Choice log-odds: how much a model prefers one answer to the others, without sampling.

For every question the log-probability of each option, as a whole answer, is computed and renormalised over the options.
A shift that all options share (the model got chattier, say) cancels. It does not see what a model would say instead of
an option; `sampled` does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.models.protocol import Model
from undertow.models.score import answer_logprobs
from undertow.traits.base import Choice

Floats = NDArray[np.float64]


def choice_logprobs(model: Model, choices: Sequence[Choice]) -> Floats:
    """Return log P(option | question, one of the options), shape (questions, options), in nats.

    Args:
        model: Who is asked.
        choices: What to ask, each with equally many options.
    """
    contexts = [model.encode_question(choice.question) for choice in choices]
    # Most traits have the same options in every question.
    known = {option: model.encode(option) for option in dict.fromkeys(o for c in choices for o in c.options)}
    answers = [[known[option] for option in choice.options] for choice in choices]
    logp_QC = answer_logprobs(model.net, contexts, answers, steering=model.steering)
    return np.asarray(logp_QC.log_softmax(dim=-1).numpy(), dtype=np.float64)
