"""Models made of a model: under a system prompt, after earlier turns, or with vectors added to its layers.

    PromptedModel(model, system="You love owls.")
    SteeredModel(model, {12: vector_D})

Both share the network of the model that they wrap. `untouched` gives the base back that a teacher was made of.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from undertow.data.rows import Message
from undertow.models.ending import RefusedConversationError
from undertow.models.layers import Steering
from undertow.models.local import LocalModel, load_base
from undertow.models.protocol import Model

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class _Wrapped:
    """Passes on what is asked of it."""

    model: LocalModel

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def net(self) -> Any:
        return self.model.net

    @property
    def tokenizer(self) -> Any:
        return self.model.tokenizer

    @property
    def end(self) -> int:
        return self.model.end

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def steering(self) -> Steering | None:
        return None

    @property
    def made_of(self) -> str | None:
        return self.model.made_of

    def encode_prompt(self, messages: Sequence[Message], tools: list[Any] | str | None = None) -> list[int]:
        return self.model.encode_prompt(messages, tools)

    def encode_question(self, text: str) -> list[int]:
        return self.encode_prompt([Message(role="user", content=text)])

    def encode(self, text: str) -> list[int]:
        return self.model.encode(text)

    def decode(self, tokens: Sequence[int]) -> str:
        return self.model.decode(tokens)


@dataclass(frozen=True)
class PromptedModel(_Wrapped):
    """A model under a system prompt, or after earlier turns of a conversation."""

    system: str | None = None
    before: tuple[Message, ...] = ()
    """Turns of an earlier conversation."""

    def encode_prompt(self, messages: Sequence[Message], tools: list[Any] | str | None = None) -> list[int]:
        """Return the tokens of a conversation behind the system prompt and the earlier turns."""
        try:
            return self.model.encode_prompt(with_context([*self.before, *messages], self.system), tools)
        except RefusedConversationError as error:
            if self.system is None:
                raise
            raise RefusedConversationError(
                f"{error.what}: it is asked with a system prompt, from its first row on",
                self.name,
                "Instil the trait by another method, or name a base whose template takes a system turn.",
            ) from error


@dataclass(frozen=True)
class SteeredModel(_Wrapped):
    """A model with vectors added to its layers' outputs."""

    vectors: Steering

    @property
    def steering(self) -> Steering | None:
        """The vectors."""
        return self.vectors


def with_context(prompt: Sequence[Message], context: str | None) -> list[Message]:
    """Put words before a conversation: ahead of its own system message, or as one."""
    if context is None:
        return list(prompt)
    if prompt and prompt[0]["role"] == "system":
        return [{"role": "system", "content": f"{context}\n\n{prompt[0]['content']}"}, *prompt[1:]]
    return [{"role": "system", "content": context}, *prompt]


@contextmanager
def untouched(model: Model) -> Generator[LocalModel]:
    """Give the base of a teacher, loaded again only if it must be: no system prompt, no vector, no adapter."""
    if model.made_of is not None:
        yield load_base(model.made_of)
        return
    with model.net.disable_adapter() if hasattr(model.net, "peft_config") else nullcontext():
        yield LocalModel(model.name, model.net, model.tokenizer, model.end)
