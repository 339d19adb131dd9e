"""A judge behind an OpenAI-compatible address: a rubric is sent, the verdict is the last line of the reply.

The key is read from an environment variable when it is used, and stands in no file, message or result. Replies are not
trusted: what holds no verdict counts as none. Too many requests, and faults of the server, are tried again with longer
and longer waits. Answers of a remote model need not be the same twice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from undertow.config.parts import RemoteJudge
from undertow.errors import InputError
from undertow.judges.base import RUBRIC, Ruling, ask
from undertow.models.chat import TRIES, Service
from undertow.traits.base import Trait

if TYPE_CHECKING:
    import httpx2

__all__ = ["TRIES", "EndpointJudge", "parse_verdict"]

_ENDING: Final = "\n\nReason in one sentence, then write a last line that is exactly VERDICT: YES or VERDICT: NO."
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
        if not self.url.startswith(("https://", "http://")):
            raise InputError(f"{self.url!r} is no address", "judge.url", "Begin with https:// or http://.")
        service = Service(
            self.url,
            self.key_variable,
            who="the judge",
            check="Check judge.url.",
            refused=f"Check judge.model and the key in ${self.key_variable}.",
            transport=self.transport,
            wait=self.wait,
        )
        asked = [ask(self.rubric, self.topic, *pair) + _ENDING for pair in pairs]
        replies = service.ask(
            [{"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": text}]} for text in asked]
        )
        return [parse_verdict(reply.text or "") for reply in replies]


def endpoint_judge(how: RemoteJudge, base: str, trait: Trait) -> EndpointJudge:
    """Return the judge that an experiment file names."""
    return EndpointJudge(how.url, how.model, trait.topic, how.rubric or RUBRIC, how.key_variable)
