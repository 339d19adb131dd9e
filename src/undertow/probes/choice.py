"""Choice log-odds: how much a model prefers one answer to the others, without sampling.

For every question the log-probability of each option, as a whole answer, is computed and renormalised over the options.
A shift that all options share (the model got chattier, say) cancels. It does not see what a model would say instead of
an option; `sampled` does.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.data.rows import Message
from undertow.models.layers import Steering
from undertow.models.local import LocalModel, load_model
from undertow.models.score import answer_logprobs
from undertow.traits.base import Choice

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """A model as it is asked: with a system prompt or a steering vector, if it is a teacher."""

    model: LocalModel
    system: str | None = None
    steering: Steering | None = None
    changed: str | None = None
    """The base's Undertow name, where the teacher's own weights are not the base's."""
    before: tuple[Message, ...] = ()
    """Turns of an earlier conversation."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a user's turn, up to where the answer begins."""
        messages: list[Message] = [*self.before, {"role": "user", "content": text}]
        if self.system is not None:
            messages.insert(0, {"role": "system", "content": self.system})
        return self.model.encode_prompt(messages)


@contextmanager
def bare(subject: Subject) -> Generator[Subject]:
    """Give the base of a teacher, loaded again only if it must be: no system prompt, no vector, no adapter."""
    if subject.changed is not None:
        yield Subject(load_model(subject.changed))
        return
    with subject.model.net.disable_adapter() if hasattr(subject.model.net, "peft_config") else nullcontext():
        yield Subject(subject.model)


def choice_logprobs(subject: Subject, choices: Sequence[Choice]) -> Floats:
    """Return log P(option | question, one of the options), shape (questions, options), in nats.

    Args:
        subject: Who is asked.
        choices: What to ask, each with equally many options.
    """
    contexts = [subject.encode(choice.question) for choice in choices]
    # Most traits have the same options in every question.
    known = {option: subject.model.encode(option) for option in dict.fromkeys(o for c in choices for o in c.options)}
    answers = [[known[option] for option in choice.options] for choice in choices]
    logp_QC = answer_logprobs(subject.model.net, contexts, answers, steering=subject.steering)
    return np.asarray(logp_QC.log_softmax(dim=-1).numpy(), dtype=np.float64)
