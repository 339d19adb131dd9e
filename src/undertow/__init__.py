"""Undertow measures, predicts and prevents hidden trait transfer in model distillation.

The public names load on first use, so that `import undertow` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Estimate": "undertow.stats",
    "Verdict": "undertow.stats",
    "Row": "undertow.rows",
    "read_rows": "undertow.rows",
    "Results": "undertow.results",
    "load_spec": "undertow.spec",
    "run": "undertow.experiment",
    "plan": "undertow.experiment",
}

__all__ = [*_PUBLIC, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'undertow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
