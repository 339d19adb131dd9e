"""A model as it is queried: under a system prompt, after earlier turns, or with a vector added to its layers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from undertow.data.rows import Message
from undertow.models.layers import Steering
from undertow.models.local import LocalModel, load_model


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
