"""Rank correlation (Spearman 1904, American Journal of Psychology 15), ties sharing their mean rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from undertow.stats._checks import Floats


def spearman(left_N: NDArray[np.floating], right_N: NDArray[np.floating]) -> float:
    """Return the rank correlation; 0 where one side does not vary."""
    left, right = centred_ranks(left_N), centred_ranks(right_N)
    size = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum() / size) if size > 0 else 0.0


def centred_ranks(value_N: NDArray[np.floating]) -> Floats:
    """Return ranks (N) with mean zero."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(value_N) - (len(value_N) + 1) / 2, dtype=np.float64)
