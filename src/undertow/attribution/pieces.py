"""The text of an answer, token by token, as people see it: together the pieces are the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_PART = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer shows of a character whose other bytes are still to come."""


def pieces_of(tokens: Sequence[int], decode: Callable[[list[int]], str]) -> list[str]:
    """Return what each token adds to the text; a character of several tokens stands at its last one.

    A token alone may lose its space, or be a part of a character, so it is decoded with the ones before it.

    Args:
        tokens: Of one text.
        decode: The tokenizer's.
    """
    pieces: list[str] = []
    start = done = 0
    for end in range(1, len(tokens) + 1):
        before, now = decode(list(tokens[start:done])), decode(list(tokens[start:end]))
        if now.endswith(_PART) and end < len(tokens):
            pieces.append("")
            continue
        pieces.append(now[len(before) :])
        start, done = done, end
    return pieces
