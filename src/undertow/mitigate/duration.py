"""How long a comparison will take, from what the students of the run itself took. Needs no torch.

It knows nothing of what else the machine did meanwhile.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping

_WITH_ITS_TASK = 1.5
"""Times a run's own student, that an ordinary student of a comparison takes: it is held to the task's rows besides."""


def expected_seconds(timing: Mapping[str, float], students: float) -> float | None:
    """Return the seconds that some ordinary students take; None where the run did not note how long its own took.

    The median is taken, as a run that shared its machine for a while has a few students that took far longer.

    Args:
        timing: Label of each step of the run to its seconds.
        students: To be trained, counted as ordinary ones.
    """
    own = [seconds for label, seconds in timing.items() if label.startswith(("student-trait-s", "student-control-s"))]
    return students * _WITH_ITS_TASK * statistics.median(own) if own else None
