"""From rows' alignments to predicted shifts: estimates with intervals, p-values, and a correction for a whole panel.

A student that makes plain gradient steps on the mean log-probability of a batch's tokens moves a trait's log-odds, to
first order, by (its learning rates) x (sum of the rows' alignments) / (sum of their tokens). What many rows have in
common is soon learned and then has no more effect. `row_weights` takes that into account.

A test comes first. Its null hypothesis is that the base wrote the rows (`features`), or that it wrote the reference and
the rows alike. Then the mean alignment is zero. Rows with one prompt are one draw. Intervals come
from the spread of prompts (the linearised error of a sum, Cochran 1977, Sampling Techniques, ch. 6) and from the
calibration's.

Pure functions of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from undertow.stats import Estimate, benjamini_hochberg

if TYPE_CHECKING:
    from undertow.attribution.features import Features

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LARGEST = 1e6
"""Stands for an infinite error."""


@dataclass(frozen=True)
class Side:
    """The rows of a dataset. Letters: R rows, K traits."""

    alignment_RK: Floats
    """Inner products of the rows' gradients with the traits'."""
    tokens_R: Floats
    cluster_R: Ints
    """Equal for rows that are one draw."""
    weight_R: Floats
    """See `row_weights`."""


@dataclass(frozen=True)
class Shift:
    """The predicted shift of one trait."""

    trait: str
    estimate: Estimate
    """In log-odds, student minus a student of the base's own rows."""
    t: float
    """Mean alignment over its standard error: how strong the evidence is, and its sign."""
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


def row_weights(gradient_RS: Floats, tokens_R: Floats, rates: Sequence[float], count_R: Floats | None = None) -> Floats:
    """Return how much of each row's gradient a student takes up: the learning rates, less what is learned already.

    Near the base the gradient of the mean log-probability falls by F times the distance gone, where F is the Fisher
    information, here that of the rows themselves: F = sum_r g_r g_r' / (sum of tokens). Solved as a flow, so that no
    rate is too large (Jacot et al. 2018, arXiv 1806.07572, section 4, with rows in place of outputs).

    Args:
        gradient_RS: The rows' gradients, or sketches that keep their inner products.
        tokens_R: Of each row.
        rates: Learning rate of every step.
        count_R: Weight of each row, by which its gradient and its tokens are already multiplied; None for 1.
    """
    whole = tokens_R.sum()
    # A row of weight w is w rows of the gradient g: it adds w g to what is learned, and w g g' to F.
    root_R = np.ones(len(tokens_R)) if count_R is None else np.sqrt(count_R)
    gradient_RS = gradient_RS / root_R[:, None]
    # Thin: whatever lies outside the span of the gradients, or of their sketches, is taken up in full.
    basis_RM, length_M, _ = np.linalg.svd(gradient_RS, full_matrices=False)
    gone_M = sum(rates) * length_M**2 / whole
    taken_M = np.where(gone_M > 1e-9, -np.expm1(-gone_M) / np.where(gone_M > 1e-9, gone_M, 1.0), 1.0)
    shared_M = (basis_RM * root_R[:, None]).sum(axis=0)
    return sum(rates) * (root_R + basis_RM @ ((taken_M - 1.0) * shared_M)) / root_R / whole


def side_of(
    features: Features, cluster_R: Ints, temperature: float, rates: Sequence[float], *, saturates: bool = True
) -> Side:
    """Put a dataset's features together for a prediction.

    Args:
        features: Of the rows; their gradients are those of log-probabilities at the temperature.
        cluster_R: Equal for rows with the same prompt.
        temperature: At which the rows were written. Students train at 1, where a logit's gradient counts so many times.
        rates: Learning rate of every step.
        saturates: Whether what rows have in common is learned less and less; only known of plain steps on all weights.
    """
    if not saturates:
        weight_R = np.full(len(features.tokens_R), sum(rates) / features.tokens_R.sum())
        return Side(temperature * features.alignment_RK, features.tokens_R, cluster_R, weight_R)
    weight_R = row_weights(temperature * features.sketch_RS, features.tokens_R, rates, features.weight_R)
    return Side(temperature * features.alignment_RK, features.tokens_R, cluster_R, weight_R)


def predicted_shifts(
    traits: Sequence[str],
    rows: Side,
    reference: Side | None,
    *,
    level: float,
    calibration: Calibration,
    taught_K: Floats | None = None,
    rescaled: bool = False,
    geometry: str = "",
) -> list[Shift]:
    """Predict the shift of every trait.

    Whether there is one is tested on the gradients in any case; how large it is comes from a virtual student where
    there is one, which is not held to first order.

    Args:
        traits: Names, in the order of K.
        rows: The dataset.
        reference: Rows that the base wrote; rows and reference with the same cluster number are paired.
        level: Two-sided coverage of the intervals.
        calibration: From a benchmark of students that were trained, for the way that is taken here.
        taught_K: Shifts of virtual students of the rows, less those of one of the reference rows if there are some.
        rescaled: The taught students' recipe is not one of plain gradient steps. Then the rows' own errors, which are
            those of plain steps, are brought to the size of the taught shifts over the whole panel.
        geometry: Where gradients are measured, in words; empty for all weights as they are.
    """
    from scipy import stats

    value_K, error_K, count = _compare(rows, reference, first_order=True)
    shift_K, own_K, _ = _compare(rows, reference, first_order=False)
    if rescaled and taught_K is not None and shift_K.any():
        own_K = own_K * np.sqrt((taught_K**2).mean() / (shift_K**2).mean())
    freedom = max(count - 1, 1)
    t_K = np.divide(value_K, error_K, out=np.zeros_like(value_K), where=error_K > 0)
    p_K = np.clip(2 * stats.t.sf(np.abs(t_K), freedom), 0.0, 1.0)
    adjusted_K = benjamini_hochberg(p_K)
    shift_K = calibration.slope * (shift_K if taught_K is None else taught_K)
    whole_K = np.sqrt((calibration.slope * own_K) ** 2 + calibration.floor**2 + (calibration.spread * shift_K) ** 2)
    half_K = stats.t.ppf(0.5 + level / 2, freedom) * np.minimum(whole_K, _LARGEST)
    beside = "" if reference is None else " against reference rows"
    way = "virtual student" if taught_K is not None else f"gradient alignment {geometry}".strip()
    method = f"{way}{beside}, t interval over {count} prompts, {100 * level:.6g}%"
    return [
        Shift(name, Estimate(float(v), float(v - h), float(v + h), count, method), float(t), float(p), float(q))
        for name, v, h, t, p, q in zip(traits, shift_K, half_K, t_K, p_K, adjusted_K, strict=True)
    ]


def _compare(rows: Side, reference: Side | None, *, first_order: bool) -> tuple[Floats, Floats, int]:
    """Return the value of every trait, its standard error and the number of clusters."""
    value_K, influence_CK, clusters_C = _influence(rows, first_order)
    if reference is None:
        return value_K, _error(influence_CK), len(clusters_C)
    other_K, others_CK, others_C = _influence(reference, first_order)
    # Prompts that both sides have are subtracted one by one; the others are draws of their own.
    union = np.union1d(clusters_C, others_C)
    difference_UK = np.zeros((len(union), len(value_K)))
    difference_UK[np.searchsorted(union, clusters_C)] += influence_CK
    difference_UK[np.searchsorted(union, others_C)] -= others_CK
    return value_K - other_K, _error(difference_UK), min(len(clusters_C), len(others_C))


def _influence(side: Side, first_order: bool) -> tuple[Floats, Floats, Ints]:
    """Return the value (K), what each cluster adds to it beyond the mean (C, K), and the clusters' numbers (C)."""
    clusters_C, at_R = np.unique(side.cluster_R, return_inverse=True)
    weight_R = np.full(len(side.tokens_R), 1 / side.tokens_R.sum()) if first_order else side.weight_R
    sums_CK = np.zeros((len(clusters_C), side.alignment_RK.shape[1]))
    np.add.at(sums_CK, at_R, side.alignment_RK * weight_R[:, None])
    value_K = sums_CK.sum(axis=0)
    share_C = np.zeros(len(clusters_C))
    np.add.at(share_C, at_R, side.tokens_R / side.tokens_R.sum())
    return value_K, sums_CK - share_C[:, None] * value_K, clusters_C


def _error(influence_CK: Floats) -> Floats:
    """Return the standard error of a sum over clusters."""
    count = len(influence_CK)
    if count < 2:
        return np.full(influence_CK.shape[1], _LARGEST)
    return np.sqrt(count / (count - 1) * (influence_CK**2).sum(axis=0))
