"""Measurements on a model: what it would answer, in log-probabilities and in sampled words.

    choice.py    log-probabilities of the candidate answers to every question: no sampling noise
    odds.py      log-odds of one candidate among all
    sampled.py   one-word answers, sampled, parsed and counted

The public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Subject": "undertow.probes.choice",
    "choice_logprobs": "undertow.probes.choice",
    "log_odds": "undertow.probes.odds",
    "Sampled": "undertow.probes.sampled",
    "sample_answers": "undertow.probes.sampled",
    "parse_answer": "undertow.probes.sampled",
}

__all__ = [*_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'undertow.probes' has no attribute {name!r}")
