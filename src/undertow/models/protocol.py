"""What the rest of Undertow may ask of a model in memory, whoever made it and whatever stands before its prompts.

`LocalModel` is one; `PromptedModel` and `SteeredModel` wrap one. Layers, gradients and logits come from functions of
`net` (`score`, `generate`, `forward`), which take `steering` where it matters. It knows no traits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from undertow.data.rows import Message

if TYPE_CHECKING:
    import torch

    from undertow.models.layers import Steering


class Model(Protocol):
    """A causal language model with its tokenizer."""

    @property
    def name(self) -> str:
        """Its Undertow name."""
        ...

    @property
    def net(self) -> Any:
        """The network, a `transformers` model with or without a PEFT wrapper."""
        ...

    @property
    def tokenizer(self) -> Any:
        """Of `transformers`, with a chat template."""
        ...

    @property
    def end(self) -> int:
        """The token that ends an assistant's turn."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def steering(self) -> Steering | None:
        """Vectors that are added to its layers' outputs whenever it is queried."""
        ...

    @property
    def made_of(self) -> str | None:
        """The base's Undertow name, where the weights in `net` are no longer the base's."""
        ...

    def encode_prompt(self, messages: Sequence[Message], tools: list[Any] | str | None = None) -> list[int]:
        """Return the tokens of a conversation up to where the assistant's answer begins."""
        ...

    def encode_question(self, text: str) -> list[int]:
        """Return the tokens of one turn of a user, up to where the answer begins."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the tokens of plain text, without any mark of beginning or end."""
        ...

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of some tokens."""
        ...
