"""Can a classifier tell the rows of a dataset from the base's rows, by their letters alone?

It stands for the classifiers on sentence embeddings that curators of data use, without a model: regularised logistic
regression on how often short runs of characters occur (Cavnar and Trenkle 1994, N-gram-based text categorization). Rows
of one prompt are in the same fold, whichever side they are on, so that no row is judged by its own counterpart.

Pure functions of texts and arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FOLDS = 5
LONGEST = 3
"""Characters of a run."""
LEAST = 5
"""Texts that a run must occur in: weights of rarer ones would be guesses."""
RIDGE = 1.0
"""Factor of the weights' squared length, against a loss that is summed over texts; features have a squared length of
about one."""


@dataclass(frozen=True)
class Separation:
    """How well the two sides are told apart. Letters: R rows of the dataset."""

    auroc: float
    """Mean over the folds; not a number where no fold holds both sides."""
    score_R: Floats
    """Log-odds that each row is the dataset's rather than the base's, from the folds without it."""


def separate(
    rows: Sequence[str],
    others: Sequence[str],
    row_prompts: Sequence[str],
    other_prompts: Sequence[str],
    *,
    rng: np.random.Generator,
) -> Separation:
    """Train and test the classifier, fold by fold.

    Args:
        rows: Answers of the dataset.
        others: Answers of the base.
        row_prompts: What each row answers.
        other_prompts: The same of the base's.
        rng: Draws the folds.
    """
    texts_N = [*rows, *others]
    own_N = np.arange(len(texts_N)) < len(rows)
    fold_N = folds([*row_prompts, *other_prompts], rng)
    count_NG = ngram_counts(texts_N)
    score_N, areas = np.full(len(texts_N), np.nan), list[float]()
    for fold in range(FOLDS):
        test_N = fold_N == fold
        if any(own_N[part].all() or not own_N[part].any() for part in (test_N, ~test_N)):
            continue
        score_N[test_N] = fit_and_score(count_NG[~test_N], own_N[~test_N], count_NG[test_N])
        areas.append(auroc(score_N[test_N], own_N[test_N]))
    return Separation(float(np.mean(areas)) if areas else float("nan"), score_N[: len(rows)])


def folds(prompts: Sequence[str], rng: np.random.Generator) -> Ints:
    """Return the fold (N) of each text: equal prompts are in the same one."""
    known = {prompt: at for at, prompt in enumerate(dict.fromkeys(prompts))}
    fold_P = rng.permutation(len(known)) % FOLDS
    return fold_P[np.array([known[prompt] for prompt in prompts], dtype=np.int64)]


def ngram_counts(texts: Sequence[str]) -> Floats:
    """Return how often each run of one to three characters occurs in each text, shape (N, G).

    Runs are in the order of the alphabet; those in fewer than `LEAST` texts are left out.
    """
    counts = [
        Counter(text[at : at + size] for size in range(1, LONGEST + 1) for at in range(len(text) - size + 1))
        for text in texts
    ]
    spread = Counter(run for count in counts for run in count)
    runs = sorted(run for run, number in spread.items() if number >= LEAST)
    return np.array([[count[run] for run in runs] for count in counts], dtype=np.float64).reshape(len(texts), len(runs))


def fit_and_score(train_NG: Floats, own_N: Bools, test_MG: Floats) -> Floats:
    """Fit ridge-penalised logistic regression (Hastie et al. 2009, Elements of Statistical Learning, section 18.4).

    Features are log(1 + count), standardised on the training texts.

    Args:
        train_NG: Counts of the training texts.
        own_N: Whether each is the dataset's.
        test_MG: Counts of the texts to score.

    Returns:
        Log-odds (M).
    """
    train_NG, test_MG = np.log1p(train_NG), np.log1p(test_MG)
    mean_G, std_G = train_NG.mean(axis=0), train_NG.std(axis=0)
    scale_G = np.where(std_G > 1e-9, std_G, 1.0) * max(train_NG.shape[1], 1) ** 0.5
    x_NG, sign_N = (train_NG - mean_G) / scale_G, np.where(own_N, 1.0, -1.0)

    def loss(weight_B: Floats) -> tuple[float, Floats]:
        margin_N = sign_N * (x_NG @ weight_B[1:] + weight_B[0])
        pull_N = -sign_N * expit(-margin_N)
        value = np.logaddexp(0.0, -margin_N).sum() + 0.5 * RIDGE * weight_B[1:] @ weight_B[1:]
        return float(value), np.concatenate([[pull_N.sum()], x_NG.T @ pull_N + RIDGE * weight_B[1:]])

    weight_B: Floats = minimize(loss, np.zeros(1 + x_NG.shape[1]), jac=True, method="L-BFGS-B").x
    return (test_MG - mean_G) / scale_G @ weight_B[1:] + weight_B[0]


def auroc(score_N: Floats, own_N: Bools) -> float:
    """Return the share of pairs that the scores put in order, ties by half (Hanley and McNeil 1982, Radiology 143)."""
    own, others = int(own_N.sum()), int((~own_N).sum())
    return float((rankdata(score_N)[own_N].sum() - own * (own + 1) / 2) / (own * others))
