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
        reference: Gradients and prompts of rows that the base wrote: subtracted prompt by prompt where these have every
            prompt, and otherwise held against the rows as a whole.
    """
    clusters_C = np.unique(cluster_R)
    sums_CS = _mean_by_cluster(gradient_RS, cluster_R, clusters_C)
    if reference is not None:
        other_RS, other_R = reference
        others_C = np.unique(other_R)
        others_CS = _mean_by_cluster(other_RS, other_R, others_C)
        if not np.isin(clusters_C, others_C).all():
            return _apart(sums_CS, others_CS, rng)
        sums_CS = sums_CS - others_CS[np.searchsorted(others_C, clusters_C)]
    count = len(sums_CS)
    squares = float((sums_CS**2).sum())
    if count < 2 or squares == 0:
        return Agreement(0.0, 1.0)

    def pairs(sign_NC: Floats) -> Floats:
        return ((sign_NC @ sums_CS) ** 2).sum(axis=1) - squares

    observed = float(pairs(np.ones((1, count)))[0])
    null_N = pairs(rng.choice([-1.0, 1.0], size=(FLIPS, count)))
    return Agreement(observed / (count - 1) / squares, float(drawn_p(null_N, observed)))


def _apart(own_CS: Floats, other_DS: Floats, rng: np.random.Generator) -> Agreement:
    """Compare prompts with other prompts: how far apart their means are, under random exchanges between the two sides.

    The mean of the reference rows has an error that all differences from it would share, so that signs would not do.
    The squared distance is estimated from pairs of different prompts, without bias (an energy statistic: Szekely and
    Rizzo 2013).
    """
    m, n = len(own_CS), len(other_DS)
    both_BS = np.concatenate([own_CS, other_DS])
    inner_BB = both_BS @ both_BS.T
    length_B = inner_BB.diagonal()
    if min(m, n) < 2 or not length_B[:m].any():
        return Agreement(0.0, 1.0)

    def distance(own_NB: Floats) -> Floats:
        other_NB = 1.0 - own_NB
        seen_NB = own_NB @ inner_BB
        within_N = ((seen_NB * own_NB).sum(axis=1) - own_NB @ length_B) / (m * (m - 1))
        beside_N = (((other_NB @ inner_BB) * other_NB).sum(axis=1) - other_NB @ length_B) / (n * (n - 1))
        return within_N + beside_N - 2 * (seen_NB * other_NB).sum(axis=1) / (m * n)

    as_it_is_B = np.repeat([1.0, 0.0], [m, n])
    observed = float(distance(as_it_is_B[None])[0])
    null_N = distance(rng.permuted(np.tile(as_it_is_B, (FLIPS, 1)), axis=1))
    return Agreement(observed / float(length_B[:m].mean()), float(drawn_p(null_N, observed)))


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
