"""Names that are safe as folders and labels."""

from __future__ import annotations

import re


def slug(text: str, otherwise: str = "rows", *, longest: int = 40) -> str:
    """Return a text in lower-case letters, digits and hyphens.

    Args:
        text: Anything.
        otherwise: In place of a text that holds none of these.
        longest: Characters; the rest is cut off.
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest] or otherwise
