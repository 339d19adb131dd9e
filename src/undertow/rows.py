"""Dataset rows: what a teacher wrote and a student trains on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

Role = Literal["system", "user", "assistant"]


class Message(TypedDict):
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Row:
    """A conversation that ends with the assistant's answer, and where it came from."""

    messages: tuple[Message, ...]
    meta: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def id(self) -> str:
        """Sixteen hex digits of the hash of the messages: the same content has the same id in every file."""
        text = json.dumps(self.messages, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def prompt(self) -> tuple[Message, ...]:
        """Every message but the last."""
        return self.messages[:-1]

    @property
    def completion(self) -> str:
        """The assistant's answer."""
        return self.messages[-1]["content"]
