"""What a teacher writes about: prompts, the rules that its answers must keep, and the reasons of rejection.

    numbers.py   number lists: prompts, the paper's strict rules, the automaton of constrained decoding

The public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Format": "undertow.domains.numbers",
    "number_prompt": "undertow.domains.numbers",
    "reject_reasons": "undertow.domains.numbers",
    "parse_numbers": "undertow.domains.numbers",
    "shuffle_numbers": "undertow.domains.numbers",
}

__all__ = [*_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'undertow.domains' has no attribute {name!r}")
