"""Models that can only be sampled: behind an OpenAI-compatible address, or local ones sampled in the same way.

`openai-api/SERVICE/NAME` is reached at `$SERVICE_BASE_URL` with the key in `$SERVICE_API_KEY` (in capitals, dashes as
underscores). The key is read when it is used and stands in no file. Answers of a remote model need not be the same
twice; what was answered is kept in the run folder.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from undertow.audit.settings import API
from undertow.config.parts import ENDPOINT
from undertow.errors import InputError, MissingExtraError
from undertow.judges.chat import AT_ONCE, SECONDS, post_chat

if TYPE_CHECKING:
    import httpx2

    from undertow.models.local import LocalModel


class Answers(Protocol):
    """A model that answers."""

    def __call__(self, questions: Sequence[str], first: int, max_tokens: int) -> list[str]:
        """Answer every question once, at temperature 1.

        Args:
            questions: Each a conversation of its own.
            first: Number of the first among all that are asked, which keys the noise of local models.
            max_tokens: Longest answer.
        """
        ...


@dataclass(frozen=True)
class Remote:
    """A model behind an address."""

    name: str
    """`openai-api/SERVICE/NAME`."""
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        service, _, model = self.name.removeprefix(API).partition("/")
        if not self.name.startswith(API) or not service or not model:
            raise InputError(f"{self.name!r} names no model", "openai-api", "Write openai-api/SERVICE/NAME.")

    @property
    def _service(self) -> str:
        service = self.name.removeprefix(API).partition("/")[0]
        return "".join(char if char.isalnum() else "_" for char in service).upper()

    @property
    def url(self) -> str:
        """Its address.

        Raises:
            InputError: the environment names none.
        """
        variable = f"{self._service}_BASE_URL"
        url = os.environ.get(variable, "")
        if not re.match(ENDPOINT, url):
            raise InputError(
                "no address is known that a key may be sent to",
                self.name,
                f"Set ${variable} to the address up to and without /chat/completions: https, or http on this machine, "
                "without a password in it.",
            )
        return url

    def __call__(self, questions: Sequence[str], first: int, max_tokens: int) -> list[str]:
        """Answer every question once, several at a time."""
        try:
            import httpx2
        except ImportError as error:
            raise MissingExtraError(
                "a model behind an address needs httpx2", fix="Install it with: pip install 'undertow[api]'"
            ) from error
        key = os.environ.get(f"{self._service}_API_KEY", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx2.Client(timeout=SECONDS, headers=headers) as client, ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(partial(self._ask, client, self.url, max_tokens), questions))

    def _ask(self, client: httpx2.Client, url: str, max_tokens: int, question: str) -> str:
        body: dict[str, Any] = {
            "model": self.name.removeprefix(API).partition("/")[2],
            "temperature": 1,
            "max_tokens": max_tokens,
            "messages": [{"role": "user", "content": question}],
        }
        return post_chat(
            client,
            url,
            body,
            wait=self.wait,
            who="the model",
            check=f"Check ${self._service}_BASE_URL.",
            refused=f"Check the model's name and the key in ${self._service}_API_KEY.",
        )


@dataclass(frozen=True)
class Local:
    """A local model, sampled."""

    model: LocalModel

    def __call__(self, questions: Sequence[str], first: int, max_tokens: int) -> list[str]:
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
