"""Names that are safe as folders and labels, and texts that can be written."""

from __future__ import annotations

import re
from pathlib import Path

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


def split_path(text: str) -> tuple[str, str]:
    """Split `PATH:REST` into its two sides, where the path may hold colons itself.

    The whole text is the path where it exists. Otherwise the last colon counts whose left side exists, and the first
    colon where none does.

    Returns:
        The path and the rest, which is empty where there is none.
    """
    if ":" not in text or _exists(text):
        return text, ""
    at = len(text)
    while (at := text.rfind(":", 0, at)) >= 0:
        if _exists(text[:at]):
            return text[:at], text[at + 1 :]
    first, _, rest = text.partition(":")
    return first, rest


def split_paths(text: str) -> list[str]:
    """Split `PATH:PATH:...` into paths, each of which may hold colons itself, as `split_path` does."""
    found: list[str] = []
    while text:
        path, text = split_path(text)
        found.append(path)
    return found


def is_folder(path: str | Path) -> bool:
    """Return whether there is such a folder; a name that no file can have is none."""
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):
        return False


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
