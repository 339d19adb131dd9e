"""A judge behind an OpenAI-compatible address: a rubric is sent, the verdict is the last line of the reply.

The key is read from an environment variable when it is used, and stands in no file, message or result. Replies are not
trusted: what holds no verdict counts as none. Too many requests, and faults of the server, are tried again with longer
and longer waits. Answers of a remote model need not be the same twice.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from undertow.errors import InputError, MissingExtraError, ModelError
from undertow.judges.base import RUBRIC, Ruling, ask

if TYPE_CHECKING:
    import httpx2

TRIES: Final = 4
SECONDS: Final = 60.0
"""How long a reply may take."""
AT_ONCE: Final = 8
_ENDING = "\n\nReason in one sentence, then write a last line that is exactly VERDICT: YES or VERDICT: NO."
_VERDICT = re.compile(r"VERDICT:\s*\**\s*(YES|NO)\b", re.IGNORECASE)
_LONGEST = 20_000


def parse_verdict(reply: str) -> Ruling:
    """Return the last verdict in a reply; None if there is none."""
    found = _VERDICT.findall(reply[-_LONGEST:])
    return found[-1].upper() == "YES" if found else None


@dataclass(frozen=True)
class EndpointJudge:
    """A remote model with a rubric."""

    url: str
    """Up to and without `/chat/completions`."""
    model: str
    topic: str
    """The trait as a noun."""
    rubric: str = RUBRIC
    key_variable: str = "UNDERTOW_JUDGE_KEY"
    """The environment variable that holds the key; none is sent where it is not set."""
    transport: httpx2.BaseTransport | None = field(default=None, repr=False)
    """Another way to reach it, for tests."""
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)

    def rule(self, pairs: Sequence[tuple[str, str]]) -> list[Ruling]:
        """Ask about every pair, several at once.

        Raises:
            InputError: the address is none, or the rubric has no place for the answer.
            ModelError: it cannot be reached, or refuses.
            MissingExtraError: httpx2 is not installed.
        """
        try:
            import httpx2
        except ImportError as error:
            raise MissingExtraError(
                "a judge behind an address needs httpx2", fix="Install it with: pip install 'undertow[api]'"
            ) from error
        if not self.url.startswith(("https://", "http://")):
            raise InputError(f"{self.url!r} is no address", "judge.url", "Begin with https:// or http://.")
        asked = [ask(self.rubric, self.topic, *pair) + _ENDING for pair in pairs]
        key = os.environ.get(self.key_variable, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with (
            httpx2.Client(timeout=SECONDS, headers=headers, transport=self.transport) as client,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            return list(pool.map(partial(self._ask, client), asked))

    def _ask(self, client: httpx2.Client, text: str) -> Ruling:
        import httpx2

        body = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": text}]}
        why = ""
        for attempt in range(TRIES):
            if attempt:
                self.wait(2.0**attempt)
            try:
                response = client.post(f"{self.url.rstrip('/')}/chat/completions", json=body)
            except httpx2.TransportError as error:
                why = type(error).__name__
                continue
            if response.status_code == 429 or response.status_code >= 500:
                why = f"status {response.status_code}"
                continue
            if response.status_code >= 400:
                raise ModelError(
                    f"the judge answers with status {response.status_code}",
                    self.url,
                    f"Check judge.model and the key in ${self.key_variable}.",
                )
            return parse_verdict(_content(response))
        raise ModelError(f"the judge cannot be reached ({why}, {TRIES} tries)", self.url, "Check judge.url.")


def _content(response: httpx2.Response) -> str:
    """Return the text of a reply; empty where it has not the shape of one."""
    try:
        found: Any = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return found if isinstance(found, str) else ""
