"""Tests of a paired difference: sign flips of whole seeds, and the t test.

If a trait did not pass on, the two arms of a seed are exchangeable. Then the sign of that seed's whole row of
differences is a coin flip. This test assumes nothing about the noise.

Questions of one seed share its training run, so their signs are not independent. Flipping them would turn the
luck of a run into significance. Take three seeds, ten questions, seed effects of standard deviation 0.5 and
residual 0.3 in each arm. Flipping single cells rejects a true null in 54% of experiments instead of 5%, and
flipping questions in 69%. Questions are therefore flipped only with one seed, and the claim is then about that
training run alone (as a claim about training, it would be false in 87%). Otherwise questions enter through the
t test, and its error includes their variation.

The smallest p of S seeds is 2 / 2^S: 0.25 with three. Below eight seeds `paired_test` reports the p of the
interval of `paired`. From eight on (0.0078) the flips must reject too, and the larger p is reported. It holds
its size if the assumptions of either test do. With eight seeds and normal noise this lowers a power of 80% to
77%. Either way p is below 1 - level only if the interval excludes zero.

Measured size at 5%, difference of two arms as above with 50 questions (10,000 tables, 2,000 for 16 and 32
seeds; standard error 0.2 and 0.5 points):

    seeds       2     3     5     8     16    32
    normal    .051  .048  .052  .042  .043  .042
    skewed    .042  .035  .036  .036  .046  .050
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import InputError
from undertow.stats._checks import Floats, finite
from undertow.stats._spread import spread_of
from undertow.stats.paired import ONE_SEED

FEWEST_FLIPS = 8
"""Replicates from which flips can reach p below 0.01, and so survive Holm's correction over a few effects."""
_TIE = 1e-9
"""Sums closer than this, relatively, are equal: the same terms added in another order."""
_CHUNK = 4096
"""Flips at once, so that memory stays bounded."""


@dataclass(frozen=True)
class Test:
    """A two-sided p-value and how it was made."""

    __test__ = False  # not a test class, whatever its name makes pytest believe
    p: float
    method: str


def permutation_p(diff_SQ: ArrayLike, *, rng: np.random.Generator, resamples: int = 10_000) -> float:
    """Return the two-sided p of the mean under flips of the seeds' signs (of questions, with one seed).

    All 2^S flips are enumerated if that is no more than `resamples`; otherwise `resamples` flips are drawn
    and the observed one is counted among them, so that the p is valid and never 0 (Phipson and Smyth 2010,
    Statistical Applications in Genetics and Molecular Biology 9(1), article 39).

    Args:
        diff_SQ: One difference per seed and question.
        rng: Draws the flips where they are too many to enumerate.
        resamples: How many flips to look at, at most.

    Raises:
        InputError: values are not finite, or `resamples` is below 1.
    """
    diff = finite(diff_SQ, "diff_SQ", 2)
    if resamples < 1:
        raise InputError(f"is {resamples}", "resamples", "Draw at least one; 10,000 give p to two digits.")
    value_R = _replicates(diff)
    threshold = abs(value_R.sum()) - _TIE * np.abs(value_R).sum()
    count = len(value_R)
    exact = count < 63 and 2**count <= resamples
    total = 2**count if exact else resamples
    hits = 0
    for start in range(0, total, _CHUNK):
        size = min(_CHUNK, total - start)
        if exact:
            flip_BR = (np.arange(start, start + size)[:, None] >> np.arange(count)) & 1
        else:
            flip_BR = rng.integers(0, 2, size=(size, count))
        hits += int(np.count_nonzero(np.abs((1 - 2 * flip_BR) @ value_R) >= threshold))
    return hits / total if exact else (1 + hits) / (1 + total)


def drawn_p(null_N: ArrayLike, seen: ArrayLike) -> Floats:
    """Return the one-sided p of statistics beside draws of the null: (1 + as large) / (1 + draws).

    What was seen counts among the draws, so that the p is valid and never 0 (Phipson and Smyth 2010).

    Args:
        null_N: Draws along the first axis.
        seen: A statistic, or one for each of the null's columns, or several beside one null.

    Raises:
        InputError: values are not finite.
    """
    null, value = finite(null_N, "null_N", 1, 2), finite(seen, "seen", 0, 1)
    if null.ndim == 1 and value.ndim == 1:
        null = null[:, None]
    hits = (null >= value - _TIE * np.abs(value)).sum(axis=0)
    return np.asarray((1 + hits) / (1 + len(null)), dtype=np.float64)


def paired_test(diff_SQ: ArrayLike, *, rng: np.random.Generator) -> Test:
    """Test whether the mean difference is zero; the head of this module has the rule and its size.

    Where the replicates do not vary at all, a t test has nothing to say and the flips decide alone. A single
    number gets p = 1.

    Args:
        diff_SQ: One difference per seed and question.
        rng: Draws flips where there are too many to enumerate (14 replicates or more).

    Raises:
        InputError: values are not finite.
    """
    diff = finite(diff_SQ, "diff_SQ", 2)
    if diff.size == 1:
        return Test(1.0, "none: a single number")
    seeds, questions = diff.shape
    unit = f"{seeds} seeds" if seeds > 1 else f"{questions} {ONE_SEED}"
    spread = spread_of(diff)
    if all(error.se == 0 for error in spread.errors):
        return Test(permutation_p(diff, rng=rng), f"sign flips of {unit}, which do not vary")
    if spread.n < FEWEST_FLIPS:
        return Test(spread.p(), f"t test over {unit}")
    return Test(max(spread.p(), permutation_p(diff, rng=rng)), f"sign flips and t test over {unit}, the larger p")


def _replicates(diff_SQ: Floats) -> Floats:
    return diff_SQ.mean(axis=1) if diff_SQ.shape[0] > 1 else diff_SQ[0]
