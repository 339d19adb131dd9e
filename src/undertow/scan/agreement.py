"""Do the rows pull the student the same way? What they have in common, whether or not a trait of the panel names it.

Gradients of rows that the base wrote have mean zero, so two rows' gradients have no inner product on average. Those of
a changed teacher share a direction. The mean inner product over pairs of prompts is set against its null distribution
under random signs of the prompts' gradients (their distribution is taken to be symmetric when there is nothing in
them).

Pure functions of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.stats import drawn_p

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLIPS = 999


@dataclass(frozen=True)
class Agreement:
    """How far gradients of different prompts point the same way."""

    cosine: float
    """Mean inner product over pairs of prompts, as a share of the mean squared length."""
    p: float
    """Under random signs, one-sided."""


def agreement(
    gradient_RS: Floats,
    cluster_R: Ints,
    *,
    rng: np.random.Generator,
    reference: tuple[Floats, Ints] | None = None,
) -> Agreement:
    """Compare rows' gradients with each other.

    Args:
        gradient_RS: Gradients of the rows, or sketches of them.
        cluster_R: Equal for rows with the same prompt.
        rng: Draws the signs.
        reference: Gradients and prompts of rows that the base wrote, whose mean is subtracted: prompt by prompt where
            these have the prompt, and as a whole elsewhere.
    """
    clusters_C = np.unique(cluster_R)
    sums_CS = _mean_by_cluster(gradient_RS, cluster_R, clusters_C)
    if reference is not None:
        other_RS, other_R = reference
        shared_C = np.isin(clusters_C, other_R)
        sums_CS[~shared_C] -= other_RS.mean(axis=0)
        sums_CS[shared_C] -= _mean_by_cluster(other_RS, other_R, clusters_C[shared_C])
    count = len(sums_CS)
    squares = float((sums_CS**2).sum())
    if count < 2 or squares == 0:
        return Agreement(0.0, 1.0)

    def pairs(sign_NC: Floats) -> Floats:
        return ((sign_NC @ sums_CS) ** 2).sum(axis=1) - squares

    observed = float(pairs(np.ones((1, count)))[0])
    null_N = pairs(rng.choice([-1.0, 1.0], size=(FLIPS, count)))
    return Agreement(observed / (count - 1) / squares, float(drawn_p(null_N, observed)))


def _mean_by_cluster(gradient_RS: Floats, cluster_R: Ints, clusters_C: Ints) -> Floats:
    keep_R = np.isin(cluster_R, clusters_C)
    at_R = np.searchsorted(clusters_C, cluster_R[keep_R])
    sums_CS = np.zeros((len(clusters_C), gradient_RS.shape[1]))
    np.add.at(sums_CS, at_R, gradient_RS[keep_R])
    return sums_CS / np.bincount(at_R, minlength=len(clusters_C))[:, None]


def without(gradient_RS: Floats, traits_KS: Floats) -> Floats:
    """Return gradients with their part in the span of the traits' directions taken out."""
    basis_SK, strength_K, _ = np.linalg.svd(traits_KS.T, full_matrices=False)
    kept_SK = basis_SK[:, strength_K > 1e-8 * strength_K.max(initial=0.0)]
    return gradient_RS - gradient_RS @ kept_SK @ kept_SK.T
