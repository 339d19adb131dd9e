"""Measurements of traits on a model: log-probabilities and sampled words.

    choice.py   log-probabilities of the candidate answers to every question, without sampling noise
    odds.py     log-odds of one candidate among all
    panel.py    log-odds of every trait of the panel
    sampled.py  one-word answers, sampled, parsed and counted

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.probes.choice import choice_logprobs
    from undertow.probes.odds import log_odds
    from undertow.probes.sampled import Sampled, parse_answer, sample_answers

__all__ = [
    "Sampled",
    "choice_logprobs",
    "log_odds",
    "parse_answer",
    "sample_answers",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "choice_logprobs": "choice",
        "log_odds": "odds",
        "Sampled": "sampled",
        "parse_answer": "sampled",
        "sample_answers": "sampled",
    },
)
