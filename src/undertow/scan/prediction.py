"""From rows' alignments to predicted shifts: estimates with intervals, p-values, and a correction for a whole panel.

A student that makes plain gradient steps on the mean log-probability of a batch's tokens moves a trait's log-odds, to
first order, by (sum of its learning rates) x (sum of the rows' alignments) / (sum of their tokens). That ratio is
estimated from the rows that were looked at; rows with one prompt are one draw (Cochran 1977, Sampling Techniques,
ch. 6, for the standard error). Without reference rows the hypothesis tested is that the base wrote the rows, see `features`.

Pure functions of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.stats import Estimate, benjamini_hochberg

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shift:
    """The predicted shift of one trait."""

    trait: str
    estimate: Estimate
    """In log-odds, student minus a student of the base's own rows."""
    error: float
    """Standard error of the estimate from the rows alone, in log-odds."""
    p: float
    p_adjusted: float
    """After Benjamini and Hochberg, over the panel."""


@dataclass(frozen=True)
class Calibration:
    """How measured shifts follow predicted ones: measured = slope x predicted, give or take."""

    slope: float = 1.0
    spread: float = 0.0
    """Standard deviation of measured shifts around the line, as a share of the predicted shift."""
    floor: float = 0.0
    """The same where nothing is predicted, in log-odds."""


def ratios(alignment_RK: Floats, tokens_R: Floats, cluster_R: Ints) -> tuple[Floats, Floats, int]:
    """Return alignment per token (K), its standard errors (K) and the number of clusters.

    Args:
        alignment_RK: One row each.
        tokens_R: Of each row.
        cluster_R: Equal for rows that are one draw.
    """
    _, at_R = np.unique(cluster_R, return_inverse=True)
    count = int(at_R.max()) + 1
    sums_CK, tokens_C = np.zeros((count, alignment_RK.shape[1])), np.zeros(count)
    np.add.at(sums_CK, at_R, alignment_RK)
    np.add.at(tokens_C, at_R, tokens_R)
    ratio_K = sums_CK.sum(axis=0) / tokens_C.sum()
    if count < 2:
        return ratio_K, np.full_like(ratio_K, np.inf), count
    residual_CK = sums_CK - tokens_C[:, None] * ratio_K
    error_K = np.sqrt(count / (count - 1) * (residual_CK**2).sum(axis=0)) / tokens_C.sum()
    return ratio_K, error_K, count


def predicted_shifts(
    traits: Sequence[str],
    rows: tuple[Floats, Floats, Ints],
    reference: tuple[Floats, Floats, Ints] | None,
    *,
    total_rate: float,
    level: float,
    calibration: Calibration,
) -> list[Shift]:
    """Predict the shift of every trait.

    Args:
        traits: Names, in the order of K.
        rows: Alignments (R, K), tokens (R) and clusters (R).
        reference: The same of rows that the base wrote; rows and reference with the same cluster number are paired.
        total_rate: Sum of the student's learning rates over its steps.
        level: Two-sided coverage of the intervals.
        calibration: From a benchmark of students that were trained.
    """
    from scipy import stats

    value_K, error_K, count = ratios(*rows)
    method = f"gradient alignment, t interval over {count} prompts"
    if reference is not None:
        value_K, error_K, count = _difference(rows, reference)
        method = f"gradient alignment against reference rows, t interval over {count} prompts"
    freedom = max(count - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t_K = np.nan_to_num(value_K / error_K)
    p_K = np.clip(2 * stats.t.sf(np.abs(t_K), freedom), 0.0, 1.0)
    adjusted_K = benjamini_hochberg(p_K)
    scale = calibration.slope * total_rate
    shift_K = scale * value_K
    own_K = np.abs(scale) * error_K
    whole_K = np.sqrt(own_K**2 + calibration.floor**2 + (calibration.spread * shift_K) ** 2)
    half_K = stats.t.ppf(0.5 + level / 2, freedom) * np.minimum(whole_K, 1e6)
    return [
        Shift(
            name, Estimate(float(v), float(v - h), float(v + h), count, method), float(min(e, 1e6)), float(p), float(q)
        )
        for name, v, h, e, p, q in zip(traits, shift_K, half_K, own_K, p_K, adjusted_K, strict=True)
    ]


def _difference(
    rows: tuple[Floats, Floats, Ints], reference: tuple[Floats, Floats, Ints]
) -> tuple[Floats, Floats, int]:
    common = np.intersect1d(rows[2], reference[2])
    if len(common) < 2:
        value_K, error_K, count = ratios(*rows)
        other_K, other_error_K, others = ratios(*reference)
        return value_K - other_K, np.hypot(error_K, other_error_K), min(count, others)
    # Paired by prompt: each side's linearised residuals are subtracted before they are squared.
    influence: list[Floats] = []
    value: list[Floats] = []
    for alignment_RK, tokens_R, cluster_R in (rows, reference):
        keep_R = np.isin(cluster_R, common)
        ratio_K, _, _ = ratios(alignment_RK[keep_R], tokens_R[keep_R], cluster_R[keep_R])
        sums_CK, tokens_C = np.zeros((len(common), len(ratio_K))), np.zeros(len(common))
        at_R = np.searchsorted(common, cluster_R[keep_R])
        np.add.at(sums_CK, at_R, alignment_RK[keep_R])
        np.add.at(tokens_C, at_R, tokens_R[keep_R])
        influence.append((sums_CK - tokens_C[:, None] * ratio_K) / tokens_C.mean())
        value.append(ratio_K)
    difference_CK = influence[0] - influence[1]
    count = len(common)
    return value[0] - value[1], np.sqrt((difference_CK**2).sum(axis=0) / (count - 1) / count), count
