"""Models behind an OpenAI-compatible address: many questions at once, tried again while the address is busy.

    service, model = service_of("openai-api/here/small")
    replies = service.ask([{"model": model, "messages": [{"role": "user", "content": "Hello"}]}])

The key is read from the environment when it is used, and stands in no file, message or result. Replies are not trusted.
`Kept` stores replies by the content of their request, so that no request is paid twice. This module does not know what
the questions are for.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from undertow.config.parts import API, ENDPOINT
from undertow.errors import InputError, MissingExtraError, ModelError
from undertow.store.jsonl import append_jsonl, read_jsonl

if TYPE_CHECKING:
    import httpx2

TRIES: Final = 4
SECONDS: Final = 60.0
"""How long a reply may take."""
AT_ONCE: Final = 8
LONGEST_WAIT: Final = 120.0
"""Seconds; an address that asks for more is given up sooner than it is waited for."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Reply:
    """What came back."""

    text: str | None
    """None where the reply has not the shape of one."""
    finished: bool = True
    """The answer was not cut off at its longest length."""
    asked_tokens: int = 0
    answer_tokens: int = 0
    """As the service counts them; 0 where it does not say."""


class Kept:
    """Replies by the content of their request, in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._replies = {record["request"]: Reply(**record["reply"]) for record in read_jsonl(path).records}

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, request: str) -> Reply | None:
        """Return the reply to a request; None where there is none."""
        return self._replies.get(request)

    def add(self, request: str, reply: Reply) -> None:
        """Store a reply; it is on the disk when this returns."""
        with self._lock:
            append_jsonl(self._path, [{"request": request, "reply": asdict(reply)}])
            self._replies[request] = reply


class _Pace:
    """When the address may be asked again, for all that ask it at once."""

    def __init__(self) -> None:
        self._lock, self._until = threading.Lock(), 0.0

    def hold(self, until: float) -> None:
        with self._lock:
            self._until = max(self._until, until)

    @property
    def until(self) -> float:
        with self._lock:
            return self._until


@dataclass(frozen=True)
class Service:
    """An address."""

    url: str
    """Up to and without `/chat/completions`."""
    key_variable: str
    """The environment variable that holds the key; none is sent where it is not set."""
    who: str = "the model"
    """Is asked, for errors."""
    check: str = ""
    """What to do where it cannot be reached."""
    refused: str = ""
    """What to do where it refuses."""
    transport: httpx2.BaseTransport | None = field(default=None, repr=False)
    """Another way to reach it, for tests."""
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)

    def ask(
        self,
        bodies: Sequence[Mapping[str, Any]],
        *,
        kept: Kept | None = None,
        shape: bool = False,
        on_reply: Callable[[int], None] | None = None,
    ) -> list[Reply]:
        """Send requests, several at once, and return their replies in the order of the requests.

        Too many requests, and faults of the server, are tried again with longer and longer waits, drawn at random so
        that many askers do not come back together. A `Retry-After`, or a used-up limit of requests or tokens, holds all
        of them back.

        Args:
            bodies: The requests.
            kept: Replies that are there already; new ones are added as they come.
            shape: A reply of another shape is a fault of the server too. Without it, its text is None.
            on_reply: Is told the number of replies.

        Raises:
            ModelError: it cannot be reached, or refuses.
            MissingExtraError: httpx2 is not installed.
        """
        try:
            import httpx2
        except ImportError as error:
            raise MissingExtraError(
                f"{self.who} behind an address needs httpx2", fix="Install it with: pip install 'undertow[api]'"
            ) from error
        key = os.environ.get(self.key_variable, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        pace, lock, done, given_up = _Pace(), threading.Lock(), [0], threading.Event()

        def one(name: str, body: Mapping[str, Any]) -> Reply | None:
            reply = kept.get(name) if kept is not None else None
            if reply is None:
                if given_up.is_set():
                    return None
                try:
                    reply = self._post(client, body, pace, key, shape=shape)
                except ModelError:
                    # What is still waiting would meet the same, and may cost money.
                    given_up.set()
                    raise
                if kept is not None and reply.text is not None:
                    kept.add(name, reply)
            with lock:
                done[0] += 1
                if on_reply is not None:
                    on_reply(done[0])
            return reply

        with (
            httpx2.Client(timeout=SECONDS, headers=headers, transport=self.transport) as client,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            jobs = [
                pool.submit(one, name, body) for name, body in zip(request_ids(self.url, bodies), bodies, strict=True)
            ]
        if (error := next((job.exception() for job in jobs if job.exception() is not None), None)) is not None:
            raise error
        return [reply for job in jobs if (reply := job.result()) is not None]

    def _post(self, client: httpx2.Client, body: Mapping[str, Any], pace: _Pace, key: str, *, shape: bool) -> Reply:
        import httpx2

        why, due = "", 0.0
        for attempt in range(TRIES):
            if (left := max(due, pace.until) - time.monotonic()) > 0:
                self.wait(left)
            backoff = 2.0 ** (attempt + 1) * random.uniform(1.0, 1.5)
            due = time.monotonic() + backoff
            try:
                response = client.post(f"{self.url.rstrip('/')}/chat/completions", json=dict(body))
            except httpx2.TransportError as error:
                why = type(error).__name__
                continue
            asked = seconds_asked(response.headers)
            if response.status_code == 429:
                why = "status 429"
                pace.hold(time.monotonic() + max(asked, backoff))
                continue
            if asked:
                pace.hold(time.monotonic() + asked)
            if response.status_code >= 500:
                why = f"status {response.status_code}"
                continue
            if response.status_code >= 400:
                raise ModelError(f"{self.who} answers with status {response.status_code}", self.url, self.refused)
            reply = _reply(response, key)
            if reply.text is None and shape:
                why = "a reply of another shape"
                continue
            return reply
        raise ModelError(f"{self.who} cannot be reached ({why}, {TRIES} tries)", self.url, self.check)


def request_ids(url: str, bodies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name requests by their address and content; one that is sent several times has a name for each time."""
    times: Counter[str] = Counter()
    names: list[str] = []
    for body in bodies:
        text = json.dumps([url.rstrip("/"), dict(body)], sort_keys=True, separators=(",", ":"))
        name = hashlib.sha256(text.encode()).hexdigest()
        times[name] += 1
        names.append(name if times[name] == 1 else f"{name}-{times[name]}")
    return names


def seconds_asked(headers: Mapping[str, str]) -> float:
    """Return for how many seconds an address asks not to be asked, by its headers; 0 where it does not.

    `Retry-After` counts in seconds. A limit that is used up says when it is whole again: `6m0s`, `20ms`.
    """
    try:
        waits = [float(headers.get("retry-after", "0"))]
    except ValueError:
        # A date: the growing waits have to do.
        waits = [0.0]
    for what in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{what}") == "0":
            parts = _DURATION.findall(headers.get(f"x-ratelimit-reset-{what}", ""))
            waits.append(sum(float(number) * _UNITS[unit] for number, unit in parts))
    return min(max([0.0, *(each for each in waits if each == each)]), LONGEST_WAIT)


def _reply(response: httpx2.Response, key: str) -> Reply:
    try:
        whole: Any = response.json()
        choice = whole["choices"][0]
        found = choice["message"]["content"]
        cut = choice.get("finish_reason") == "length"
        usage: Any = whole.get("usage")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return Reply(None)
    if not isinstance(found, str):
        return Reply(None)
    # Half a surrogate pair, where a server cut an emoji in two, can be neither stored nor shown.
    text = found.encode("utf-8", "replace").decode("utf-8")
    text = text.replace(key, "[key]") if key else text
    counts: Any = usage if isinstance(usage, dict) else {}
    return Reply(text, not cut, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def _count(given: object) -> int:
    return given if isinstance(given, int) and given > 0 else 0


def parts_of(name: str) -> tuple[str, str]:
    """Return the service and the model that `openai-api/SERVICE/MODEL` names; the service as variables begin.

    Raises:
        InputError: the name is none.
    """
    service, _, model = name.removeprefix(API).partition("/")
    if not name.startswith(API) or not service or not model:
        raise InputError(f"{name!r} names no model", "openai-api", "Write openai-api/SERVICE/NAME.")
    return "".join(char if char.isalnum() else "_" for char in service).upper(), model


def service_of(name: str, *, wait: Callable[[float], None] = time.sleep) -> tuple[Service, str]:
    """Return the service and the model that `openai-api/SERVICE/MODEL` names.

    The address stands in `$SERVICE_BASE_URL` and the key in `$SERVICE_API_KEY` (in capitals, dashes as underscores).

    Raises:
        InputError: the name is none, or the environment names no address that a key may be sent to.
    """
    prefix, model = parts_of(name)
    url = os.environ.get(f"{prefix}_BASE_URL", "")
    if not re.match(ENDPOINT, url):
        raise InputError(
            "no address is known that a key may be sent to",
            name,
            f"Set ${prefix}_BASE_URL to the address up to and without /chat/completions: https, or http on this "
            "machine, without a password in it.",
        )
    check, refused = f"Check ${prefix}_BASE_URL.", f"Check the model's name and the key in ${prefix}_API_KEY."
    return Service(url, f"{prefix}_API_KEY", check=check, refused=refused, wait=wait), model
