"""Intervals of what the benchmark reports: shares, areas under ROC curves, and anything over resampled datasets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from undertow.stats import proportion

Floats = NDArray[np.float64]


class Bounded(NamedTuple):
    """A number, its 95% interval, and of how many datasets it is."""

    value: float
    lo: float
    hi: float
    n: int


def share(hits: Sequence[bool]) -> Bounded | None:
    """Return the share of hits with Wilson's interval; None of nothing."""
    if not hits:
        return None
    found = proportion(sum(hits), len(hits))
    return Bounded(found.value, found.lo, found.hi, len(hits))


def auroc(high: Sequence[float], low: Sequence[float]) -> Bounded | None:
    """Return the area under the ROC curve; `n` counts the smaller side.

    The interval is Newcombe's (2006, Statistics in Medicine 25:559, method 5): Hanley and McNeil's variance at the
    bound itself, so that an area of 1 has a lower bound below 1.
    """
    if not high or not low:
        return None
    m, n = len(high), len(low)
    area = float(np.mean([(x > y) + 0.5 * (x == y) for x in high for y in low]))
    z, mid = stats.norm.ppf(0.975), (m + n) / 2 - 1

    def beyond(bound: float) -> float:
        factor = 1 + mid * (1 - bound) / (2 - bound) + mid * bound / (1 + bound)
        return abs(area - bound) - z * (bound * (1 - bound) * factor / (m * n)) ** 0.5

    lo = optimize.brentq(beyond, 1e-9, area - 1e-9) if area > 1e-6 and beyond(1e-9) > 0 else 0.0
    hi = optimize.brentq(beyond, area + 1e-9, 1 - 1e-9) if area < 1 - 1e-6 and beyond(1 - 1e-9) > 0 else 1.0
    return Bounded(area, float(lo), float(hi), min(m, n))


def resampled(
    data: Floats, statistic: Callable[[Floats], float], groups: Sequence[object], *, times: int = 2000
) -> Bounded:
    """Return a statistic of datasets (first axis) with its percentile bootstrap interval.

    Args:
        data: Of the datasets.
        statistic: Of some of them.
        groups: Equal for datasets that are drawn together, such as those of one teacher.
        times: Draws.
    """
    rng = np.random.default_rng(0)
    kinds = list(dict.fromkeys(groups))
    places = [np.array([at for at, group in enumerate(groups) if group == kind]) for kind in kinds]
    values: list[float] = []
    for _ in range(times):
        drawn = np.concatenate([places[at] for at in rng.integers(len(kinds), size=len(kinds))])
        values.append(statistic(data[drawn]))
    lo, hi = np.nanquantile(values, [0.025, 0.975])
    return Bounded(statistic(data), float(lo), float(hi), len(data))


def above_zero(shift: float, error: float) -> bool:
    """Return whether a measured shift's 95% interval over questions lies above zero: the trait passed on."""
    return shift > 2 * error


def plain(value: object) -> object:
    """Return a value as JSON may hold it, for `json.dumps`."""
    if isinstance(value, Bounded):
        return [round(each, 3) if isinstance(each, float) else each for each in value]
    return float(value)  # pyright: ignore[reportArgumentType]
