"""Other ways to see a trait in rows: from scores of rows to an estimate a trait, and a value a row.

    likelihood shift        are the rows more likely under a system prompt with the trait?
    divergence              where such a prompt changes the base's first choice, which of the two stands in the row?
    activation projection   do the rows' hidden states lie along the trait's vector, seen from the base's answers?

`undertow scan --baseline` runs them beside its own method. `benchmarks/transfer` compares both, and found them weaker
(docs/results.md). Scores come from `baseline_scores`. Letters: R rows, K traits, C prompts, D width of the model.

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
class Compared:
    """The result of one method for one trait."""

    trait: str
    estimate: Estimate
    t: float
    p: float
    p_adjusted: float
    """After Benjamini and Hochberg, over the panel."""


def likelihood_shift(prompted_RK: Floats, plain_R: Floats, tokens_R: Floats) -> Floats:
    """Return how much likelier each row is under each trait's system prompt, in nats a token, shape (R, K).

    The score by which Aden-Ali et al. (2026, arXiv 2602.04863) select rows, for one answer in place of a pair.

    Args:
        prompted_RK: log p of the rows with the prompts.
        plain_R: The same without.
        tokens_R: Of the rows.
    """
    return (prompted_RK - plain_R[:, None]) / tokens_R[:, None]


def divergence(prompted_TK: Ints, plain_T: Ints, chosen_T: Ints, lengths_R: Sequence[int]) -> Floats:
    """Return rows' scores at the tokens where a trait's system prompt changes the base's first choice, shape (R, K).

    The share of these tokens that are the prompted base's first choice, minus the share that are the plain base's.
    Schrodi et al. (2025, arXiv 2509.23886) find that transfer rests on tokens of this kind.

    Args:
        prompted_TK: First choice with each prompt at every token of the rows' answers, row after row.
        plain_T: Without.
        chosen_T: What stands there.
        lengths_R: Tokens of each row.
    """
    differs_TK = prompted_TK != plain_T[:, None]
    side_TK = np.where(
        differs_TK, (chosen_T[:, None] == prompted_TK).astype(float) - (chosen_T == plain_T)[:, None].astype(float), 0.0
    )
    starts = np.concatenate([[0], np.cumsum(lengths_R)[:-1]]).astype(np.int64)
    sums_RK = np.add.reduceat(side_TK, starts, axis=0)
    return sums_RK / np.asarray(lengths_R, dtype=np.float64)[:, None]


def activation_projection(mean_RD: Floats, vector_KD: Floats) -> Floats:
    """Return how far each row's mean hidden state lies along each trait's vector, shape (R, K).

    The difference of this between rows and the base's own answers is the projection difference of Chen et al. (2025,
    arXiv 2507.21509, section 6.1).

    Args:
        mean_RD: Hidden states of a layer, averaged over the tokens of each answer.
        vector_KD: Differences of means between sentences with the trait and without.
    """
    length_K = np.linalg.norm(vector_KD, axis=1)
    return mean_RD @ (vector_KD / np.where(length_K > 0, length_K, 1.0)[:, None]).T


def compare(
    traits: Sequence[str],
    rows: tuple[Floats, Ints],
    reference: tuple[Floats, Ints] | None,
    *,
    level: float,
    method: str,
) -> list[Compared]:
    """Return each trait's mean value with a t interval over prompts, minus that of the base's rows if there are some.

    Args:
        traits: Names, in the order of K.
        rows: Values (R, K) and prompt numbers (R) of the rows.
        reference: The same of the base's rows; prompts that both have are paired.
        level: Two-sided coverage.
        method: Its name.
    """
    from scipy import stats

    value_CK, at_C = _by_prompt(*rows)
    extra = None
    if reference is not None:
        other_EK, at_E = _by_prompt(*reference)
        shared_C = np.isin(at_C, at_E)
        if shared_C.all():
            value_CK = value_CK - other_EK[np.searchsorted(at_E, at_C)]
        else:
            extra = other_EK
    mean_K, error_K, count = _mean_and_error(value_CK)
    if extra is not None:
        other_K, other_error_K, others = _mean_and_error(extra)
        mean_K, error_K, count = mean_K - other_K, np.hypot(error_K, other_error_K), min(count, others)
    freedom = max(count - 1, 1)
    t_K = np.divide(mean_K, error_K, out=np.zeros_like(mean_K), where=error_K > 0)
    p_K = np.clip(2 * stats.t.sf(np.abs(t_K), freedom), 0.0, 1.0)
    half_K = stats.t.ppf(0.5 + level / 2, freedom) * error_K
    said = f"{method}, t interval over {count} prompts, {100 * level:.6g}%"
    return [
        Compared(name, Estimate(float(m), float(m - h), float(m + h), count, said), float(t), float(p), float(q))
        for name, m, h, t, p, q in zip(traits, mean_K, half_K, t_K, p_K, benjamini_hochberg(p_K), strict=True)
    ]


def _by_prompt(value_RK: Floats, cluster_R: Ints) -> tuple[Floats, Ints]:
    clusters_C, at_R = np.unique(cluster_R, return_inverse=True)
    sums_CK = np.zeros((len(clusters_C), value_RK.shape[1]))
    np.add.at(sums_CK, at_R, value_RK)
    return sums_CK / np.bincount(at_R)[:, None], clusters_C


_LARGEST = 1e6
"""Stands for an infinite error."""


def _mean_and_error(value_CK: Floats) -> tuple[Floats, Floats, int]:
    count = len(value_CK)
    if count < 2:
        return value_CK.mean(axis=0), np.full(value_CK.shape[1], _LARGEST), count
    return value_CK.mean(axis=0), value_CK.std(axis=0, ddof=1) / count**0.5, count
