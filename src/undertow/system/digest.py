"""A short hash that stands for plain JSON values."""

from __future__ import annotations

import hashlib
import json


def digest_of(value: object) -> str:
    """Return twelve hex digits that stand for plain JSON values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
