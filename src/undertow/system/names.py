"""Names that are safe as folders and labels, and texts that can be written."""

from __future__ import annotations

import re

_HALF = re.compile("[\ud800-\udfff]")


def with_marks(text: str) -> str:
    """Put a mark (U+FFFD) in the place of what is no character: bytes of a name that is not UTF-8, halves of others."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def slug(text: str, otherwise: str = "rows", *, longest: int = 40) -> str:
    """Return a text in lower-case letters, digits and hyphens.

    Args:
        text: Anything.
        otherwise: In place of a text that holds none of these.
        longest: Characters; the rest is cut off.
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest] or otherwise
