"""Choice log-odds: how much a model prefers one candidate answer to the others, without sampling.

For every question the log-probability of each candidate, as a whole answer that begins with a capital letter, is
computed and renormalised over the candidates. A shift that all candidates share (the model got chattier, say) cancels.
It does not see what a model would say instead of a candidate; `sampled` does.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.models.layers import Steering
from undertow.models.local import LocalModel, load_model
from undertow.models.score import answer_logprobs
from undertow.rows import Message
from undertow.traits.preference import Category, capitalised

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """A model as it is asked: with a system prompt or a steering vector, if it is a teacher."""

    model: LocalModel
    system: str | None = None
    steering: Steering | None = None
    changed: str | None = None
    """The base's Undertow name, where the teacher's own weights are not the base's."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a user's turn, up to where the answer begins."""
        messages: list[Message] = [{"role": "user", "content": text}]
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


def choice_logprobs(subject: Subject, category: Category, questions: Sequence[str] | None = None) -> Floats:
    """Return log P(candidate | question, one of the candidates), shape (questions, candidates), in nats.

    Args:
        subject: Who is asked.
        category: The candidates.
        questions: What to ask; all of the category's questions when absent.
    """
    asked = category.questions if questions is None else questions
    contexts = [subject.encode(question) for question in asked]
    answers = [subject.model.encode(capitalised(candidate.name)) for candidate in category.candidates]
    logp_QC = answer_logprobs(subject.model.net, contexts, answers, steering=subject.steering)
    return np.asarray(logp_QC.log_softmax(dim=-1).numpy(), dtype=np.float64)
