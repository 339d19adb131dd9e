"""Does a student's change come from these rows? Three tests, each with a null over prompts.

1. Traits: do the shifts that a scan predicts from the rows correlate with those that were measured?
2. Weights: do the rows' gradients in the base point along the change of the weights?
3. Rows: do the rows that strengthen the student's strongest trait point along that change more than others do?

The null hypothesis is that the base wrote the rows and the student was trained on other data. Then a prompt's gradient
is as likely as its opposite. So the first two tests flip the signs of whole prompts, which keeps the dependence between
traits. The third test permutes prompts. The limit is other rows of the same teacher: they point in the same direction.
The tests separate a teacher's datasets from others, but not two datasets of one teacher.

Pure functions of arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow.stats import drawn_p, spearman
from undertow.stats.ranks import centred_ranks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLIPS = 1999


@dataclass(frozen=True)
class AttributionTests:
    """The three answers."""

    traits_correlation: float
    """Spearman's."""
    traits_p: float
    """One-sided."""
    weights_t: float
    """Mean over its standard error, prompts being the draws."""
    weights_p: float
    """One-sided."""
    rows_correlation: float
    """Spearman's."""
    rows_p: float
    """Two-sided."""


def attribution_tests(
    alignment_RK: Floats,
    change_R: Floats,
    cluster_R: Ints,
    measured_K: Floats,
    strongest: int,
    *,
    rng: np.random.Generator,
) -> AttributionTests:
    """Answer the three questions.

    Args:
        alignment_RK: Inner products of the rows' gradients with the traits'.
        change_R: The same with the weights' change.
        cluster_R: Equal for rows with the same prompt.
        measured_K: The student's shifts.
        strongest: Which trait the third question is about.
        rng: Draws signs and permutations.
    """
    together_RJ = np.column_stack([alignment_RK, change_R])
    clusters_C, at_R = np.unique(cluster_R, return_inverse=True)
    sums_CJ = np.zeros((len(clusters_C), together_RJ.shape[1]))
    np.add.at(sums_CJ, at_R, together_RJ)
    traits_CK, change_C = sums_CJ[:, :-1], sums_CJ[:, -1]
    sign_NC = rng.choice(np.array([-1.0, 1.0]), size=(FLIPS, len(clusters_C)))

    # Not the rank correlation itself: it ignores the size, and flipped sums still hold a little of what prompts share.
    root_K = np.sqrt((traits_CK**2).sum(axis=0))
    weight_K = np.divide(centred_ranks(measured_K), root_K, out=np.zeros_like(root_K), where=root_K > 0)
    pull_C = traits_CK @ weight_K
    along, along_N = float(change_C.sum()), sign_NC @ change_C
    root = float(np.sqrt((change_C**2).sum()))

    own = spearman(traits_CK[:, strongest], change_C)
    dealt_N = np.array([spearman(rng.permutation(traits_CK[:, strongest]), change_C) for _ in range(FLIPS)])
    return AttributionTests(
        traits_correlation=spearman(traits_CK.sum(axis=0), measured_K),
        traits_p=float(drawn_p(sign_NC @ pull_C, pull_C.sum())) if pull_C.any() else 1.0,
        weights_t=along / root if root > 0 else 0.0,
        weights_p=float(drawn_p(along_N, along)) if root > 0 else 1.0,
        rows_correlation=own,
        rows_p=float(drawn_p(np.abs(dealt_N), abs(own))),
    )


def says(found: AttributionTests) -> str:
    """Put the answer into one sentence. Traits and weights are two tests, so each must hold at 0.025."""
    yes = [found.traits_p < 0.025, found.weights_p < 0.025]
    if all(yes):
        return "The student changed in the direction of these rows' gradients, both in its traits and in its weights."
    if any(yes):
        where = "traits" if yes[0] else "weights"
        return f"The student's {where} changed in the direction of these rows' gradients; the other test shows nothing."
    return "No test shows that the student's change comes from these rows."
