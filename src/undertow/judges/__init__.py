"""Judges: does a free-form answer show a trait? Each is wrong at times, and how often is measured.

    base.py      what every judge can do, and the rubric that models are given
    registry.py  the judges by name, to which other packages add
    words.py     a rule: the answer holds one of some words
    logprob.py   a local model's preference for "Yes" over "No"
    endpoint.py  a model behind an OpenAI-compatible address, with a parsed verdict
    answers.py   free-form answers of a model, sampled and judged
    error.py     a judge on a labelled set: sensitivity and specificity, for `stats.corrected_share`

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.judges.base import Judge, Ruling
    from undertow.judges.endpoint import EndpointJudge
    from undertow.judges.error import labelled, measure_error
    from undertow.judges.logprob import LogprobJudge
    from undertow.judges.words import WordJudge

__all__ = [
    "EndpointJudge",
    "Judge",
    "LogprobJudge",
    "Ruling",
    "WordJudge",
    "labelled",
    "measure_error",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "EndpointJudge": "endpoint",
        "Judge": "base",
        "LogprobJudge": "logprob",
        "Ruling": "base",
        "WordJudge": "words",
        "labelled": "error",
        "measure_error": "error",
    },
)
