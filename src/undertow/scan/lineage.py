"""Did a model of the student's family write the rows? From the text alone, with the student's base as the only witness.

placeholder
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from undertow.scan.sampling import Sampling


@dataclass(frozen=True)
class Kin:
    """The answer, and why."""

    answer: Literal["same", "different", "unknown"]
    because: str


def lineage_of(sampling: Sampling, cosine: float, p: float) -> Kin:
    """Judge."""
    return Kin("unknown", "not judged")
