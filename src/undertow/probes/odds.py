"""Log-odds of one candidate from the log-probabilities of all: pure, and without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_odds(logp_QC: Floats, index: int) -> Floats:
    """Return log(p / (1 - p)) of one candidate, over any leading axes.

    One minus p is summed from the other candidates, so that a p close to 1 loses no digits.
    """
    others_QC = np.delete(logp_QC, index, axis=-1)
    top = others_QC.max(axis=-1, keepdims=True)
    rest = np.log(np.exp(others_QC - top).sum(axis=-1)) + top[..., 0]
    return logp_QC[..., index] - rest
