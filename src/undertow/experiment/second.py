"""What the second wordings say: a check of the probe by other questions in other forms.

A shift that is the trait shows in both sets; one that belongs to the probe's words does not. The second set decides
nothing: the verdict is the probe's. It does not know how the two sets compare in difficulty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.arms import CONTROL, Arm
from undertow.pipeline.arms import ExperimentTraits

Floats = NDArray[np.float64]


def second_notes(
    traits: ExperimentTraits,
    base: dict[str, Any],
    teachers: Mapping[Arm, Sequence[dict[str, Any]]],
    students: Mapping[Arm, Sequence[dict[str, Any]]],
    level: float,
) -> list[str]:
    """Return a sentence for every teacher and for every arm of students, in log-odds of the trait.

    Args:
        traits: The traits.
        base: The base's scores.
        teachers: Arm to its teachers' scores.
        students: Arm to the scores of its students, seed by seed.
        level: Of the intervals.
    """
    base_Q = np.asarray(base["second"], dtype=np.float64)
    control_SQ = _table(students[CONTROL])
    what = f"By {len(base_Q):,} second wordings, {traits.trait.topic}:"
    found = [
        (
            f"the teacher{'s' * (len(each) > 1)} of {arm} less the base",
            stats.mean_estimate(_table(each) - base_Q, level=level),
        )
        for arm, each in teachers.items()
    ]
    found += [
        (f"{arm} less {CONTROL}", stats.paired_difference(_table(each), control_SQ, level=level))
        for arm, each in students.items()
        if arm != CONTROL
    ]
    return [
        f"{what} {name} {each.value:+.3f} log-odds ({each.lo:+.3f} to {each.hi:+.3f}; {each.method})."
        for name, each in found
    ]


def _table(scores: Sequence[dict[str, Any]]) -> Floats:
    return np.stack([np.asarray(each["second"], dtype=np.float64) for each in scores])
