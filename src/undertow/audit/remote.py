"""Models that can only be sampled: behind an OpenAI-compatible address, or local ones sampled in the same way.

`openai-api/SERVICE/NAME` is reached at `$SERVICE_BASE_URL` with the key in `$SERVICE_API_KEY` (in capitals, dashes as
underscores). The key is read when it is used and stands in no file. Answers of a remote model need not be the same
twice; what was answered is kept in the run folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from undertow.models.chat import Kept, parts_of, service_of

if TYPE_CHECKING:
    from undertow.models.local import LocalModel


class Answers(Protocol):
    """A model that answers."""

    def __call__(self, questions: Sequence[str], first: int, max_tokens: int, kept: Path | None = None) -> list[str]:
        """Answer every question once, at temperature 1.

        Args:
            questions: Each a conversation of its own.
            first: Number of the first among all that are asked, which keys the noise of local models.
            max_tokens: Longest answer.
            kept: A file for what is paid: remote answers are added as they come, and those in it are not asked again.
        """
        ...


@dataclass(frozen=True)
class Remote:
    """A model behind an address."""

    name: str
    """`openai-api/SERVICE/NAME`."""
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        parts_of(self.name)

    def __call__(self, questions: Sequence[str], first: int, max_tokens: int, kept: Path | None = None) -> list[str]:
        """Answer every question once, several at a time."""
        service, model = service_of(self.name, wait=self.wait)
        bodies = [
            {
                "model": model,
                "temperature": 1,
                "max_tokens": max_tokens,
                "messages": [{"role": "user", "content": question}],
            }
            for question in questions
        ]
        return [reply.text or "" for reply in service.ask(bodies, kept=Kept(kept) if kept is not None else None)]


@dataclass(frozen=True)
class Local:
    """A local model, sampled."""

    model: LocalModel

    def __call__(self, questions: Sequence[str], first: int, max_tokens: int, kept: Path | None = None) -> list[str]:
        """Answer every question once; the noise is keyed by the question's number."""
        from undertow.models.generate import generate

        known = {text: self.model.encode_question(text) for text in dict.fromkeys(questions)}
        answers = generate(
            self.model.net,
            [known[text] for text in questions],
            range(first, first + len(questions)),
            seed=0x5A3,
            end=self.model.end,
            max_tokens=max_tokens,
        )
        return [self.model.decode(answer.tokens) for answer in answers]
