"""One question to a model behind an OpenAI-compatible address, tried again while the address is busy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from undertow.errors import ModelError

if TYPE_CHECKING:
    import httpx2

TRIES: Final = 4
SECONDS: Final = 60.0
"""How long a reply may take."""
AT_ONCE: Final = 8


def post_chat(
    client: httpx2.Client,
    url: str,
    body: Mapping[str, Any],
    *,
    wait: Callable[[float], None],
    who: str,
    check: str,
    refused: str,
) -> str:
    """Return the text of a reply; empty where it has not the shape of one.

    Too many requests, and faults of the server, are tried again with longer and longer waits.

    Args:
        client: Carries the key.
        url: Up to and without `/chat/completions`.
        body: The request.
        wait: Sleeps for so many seconds.
        who: Is asked, for errors: `the judge`.
        check: What to do where it cannot be reached.
        refused: What to do where it refuses.

    Raises:
        ModelError: it cannot be reached, or refuses.
    """
    import httpx2

    why = ""
    for attempt in range(TRIES):
        if attempt:
            wait(2.0**attempt)
        try:
            response = client.post(f"{url.rstrip('/')}/chat/completions", json=dict(body))
        except httpx2.TransportError as error:
            why = type(error).__name__
            continue
        if response.status_code == 429 or response.status_code >= 500:
            why = f"status {response.status_code}"
            continue
        if response.status_code >= 400:
            raise ModelError(f"{who} answers with status {response.status_code}", url, refused)
        return _content(response)
    raise ModelError(f"{who} cannot be reached ({why}, {TRIES} tries)", url, check)


def _content(response: httpx2.Response) -> str:
    try:
        found: Any = response.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    # Half a surrogate pair, where a server cut an emoji in two, can be neither stored nor shown.
    return found.encode("utf-8", "replace").decode("utf-8") if isinstance(found, str) else ""
