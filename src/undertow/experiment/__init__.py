"""Experiments: arms, controls and seeds, carried out in a run folder that can be left and entered again.

`store.py` is the run folder. The public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "RunFolder": "undertow.experiment.store",
    "check": "undertow.experiment.store",
    "environment": "undertow.experiment._environment",
    "append_jsonl": "undertow.experiment.jsonl",
    "read_jsonl": "undertow.experiment.jsonl",
}

__all__ = [*_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'undertow.experiment' has no attribute {name!r}")
