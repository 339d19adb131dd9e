"""Changes that no trait of the panel names: directions, tokens and prompts, each with its null.

Prompts are the draws. Under the null, a difference is symmetric over prompts, so signs are flipped. Control students
are trained on the untouched base's rows. Their mean difference is first subtracted prompt by prompt, and the effect of
the trait's rows is left. Any training changes a model a little on all prompts. So without a control, a small p says
that the student changed in one direction. It does not say that the change is hidden.

Pure functions of arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.agreement import agreement
from undertow.audit.difference import Difference
from undertow.results import Interval, LayerReadout, MovedToken, PromptCluster
from undertow.stats import Estimate, benjamini_hochberg, drawn_p, mean_estimate

Floats = NDArray[np.float64]

SHOWN = 10
FLIPS = 999
_TOKENS = 4096
"""Tokens that are tested: those that change most, without regard to sign."""
_IN_CLUSTER = 8
"""Prompts of a cluster, on average."""
_FEWEST = 3


def mean_difference(each: Sequence[Difference]) -> Difference:
    """Return the mean of several models' differences from the base, prompt by prompt."""

    def mean(name: str) -> NDArray[np.float32]:
        return np.asarray(np.mean([getattr(one, name) for one in each], axis=0), dtype=np.float32)

    return replace(
        each[0], activation_LPD=mean("activation_LPD"), probability_PV=mean("probability_PV"), kl_P=mean("kl_P")
    )


def beyond(student: Difference, control: Difference | None) -> Difference:
    """Subtract the control's difference from the base, prompt by prompt."""
    if control is None:
        return student
    return replace(
        student,
        activation_LPD=student.activation_LPD - control.activation_LPD,
        probability_PV=student.probability_PV - control.probability_PV,
        kl_P=student.kl_P - control.kl_P,
    )


def interval_of(estimate: Estimate) -> Interval:
    """Return an estimate as it is stored."""
    from undertow.stats.paired import ONE_SEED

    method = estimate.method.replace(ONE_SEED, "prompts")
    return Interval(value=estimate.value, lo=estimate.lo, hi=estimate.hi, n=estimate.n, method=method)


def layer_readouts(
    found: Difference, words: Callable[[NDArray[np.float32]], tuple[list[str], list[str]]]
) -> list[LayerReadout]:
    """Describe every layer's mean difference.

    Args:
        found: The difference.
        words: Reads a direction (D) out through the output embedding: tokens for it and against it.
    """
    read: list[LayerReadout] = []
    for at, layer in enumerate(found.layers):
        delta_PD = found.activation_LPD[at].astype(np.float64)
        agreed = agreement(delta_PD, np.arange(len(delta_PD)), rng=np.random.default_rng(at))
        mean_D = found.activation_LPD[at].mean(axis=0)
        length = float(np.linalg.norm(found.base_LD[at])) or 1.0
        up, down = words(mean_D) if mean_D.any() else ([], [])
        share = float(np.linalg.norm(mean_D)) / length
        read.append(LayerReadout(layer=layer, relative=share, agreement=agreed.cosine, p=agreed.p, up=up, down=down))
    return read


def null_directions(found: Difference, at: int, count: int, *, rng: np.random.Generator) -> list[NDArray[np.float32]]:
    """Return directions (D) of the mean difference's length that hold what prompts do not share.

    Half of the prompts count negatively, so that what they have in common cancels.
    """
    delta_PD = found.activation_LPD[at]
    length = float(np.linalg.norm(delta_PD.mean(axis=0)))
    sign_P = np.where(np.arange(len(delta_PD)) % 2 == 0, 1.0, -1.0)
    drawn = [(rng.permutation(sign_P)[:, None] * delta_PD).mean(axis=0) for _ in range(count)]
    return [scaled(each_D, length) for each_D in drawn]


def scaled(direction_D: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Return a direction with another length; one without length stays as it is."""
    own = float(np.linalg.norm(direction_D))
    return np.asarray(direction_D * (length / own if own > 0 else 0.0), dtype=np.float32)


def moved_tokens(
    change_PV: NDArray[np.float32], decode: Callable[[int], str], *, level: float, rng: np.random.Generator
) -> list[MovedToken]:
    """Return the tokens whose mean probability moved most, with p-values that hold for all tokens at once.

    A token's statistic is the sum of its changes over the root of their sum of squares; its p-value is the share of
    sign flips of whole prompts in which any token's is as large (Westfall and Young 1993, section 2.5).
    """
    squares_V = np.einsum("pv,pv->v", change_PV, change_PV, dtype=np.float64)
    tested_W = np.argsort(-squares_V, kind="stable")[:_TOKENS]
    tested_W = tested_W[squares_V[tested_W] > 0]
    if not len(tested_W):
        return []
    change_PW = change_PV[:, tested_W].astype(np.float64)
    root_W = np.sqrt(squares_V[tested_W])
    seen_W = np.abs(change_PW.sum(axis=0)) / root_W
    largest_N = np.zeros(FLIPS)
    for at in range(FLIPS):
        sign_P = rng.choice(np.array([-1.0, 1.0]), size=len(change_PW))
        largest_N[at] = (np.abs(sign_P @ change_PW) / root_W).max()
    p_W = drawn_p(largest_N, seen_W)
    order = np.argsort(-np.abs(change_PW.mean(axis=0)), kind="stable")[:SHOWN].tolist()
    moved: list[MovedToken] = []
    for at in order:
        e = mean_estimate(change_PW[:, at][None], level=level)
        word = decode(int(tested_W[at]))
        moved.append(MovedToken(token=word, change=e.value, lo=e.lo, hi=e.hi, p=float(p_W[at])))
    return moved


def clusters(
    found: Difference, own_kl_P: NDArray[np.float32], prompts: Sequence[str], *, level: float, rng: np.random.Generator
) -> list[PromptCluster]:
    """Group prompts by where they lie, and rank the groups by how far the models part on them.

    Args:
        found: The difference, beyond the control's where there is one.
        own_kl_P: The student's KL from the base.
        prompts: Their texts.
        level: Of intervals.
        rng: Places the centres and deals prompts out.
    """
    place_PD = found.place_PD.astype(np.float64)
    place_PD = place_PD - place_PD.mean(axis=0)
    group_P, centre_KD = k_means(place_PD, max(2, len(prompts) // _IN_CLUSTER), rng=rng)
    kl_P = found.kl_P.astype(np.float64)
    kept = [group for group in range(len(centre_KD)) if _FEWEST <= (group_P == group).sum() <= len(prompts) - _FEWEST]
    if not kept:
        return []
    apart_K = [_apart(kl_P, group_P == group) for group in kept]
    dealt_NK = np.empty((FLIPS, len(kept)))
    for at in range(FLIPS):
        shuffled_P = rng.permutation(group_P)
        dealt_NK[at] = [_apart(kl_P, shuffled_P == group) for group in kept]
    adjusted_K = benjamini_hochberg(drawn_p(dealt_NK, np.array(apart_K)))
    described: list[PromptCluster] = []
    for group, gap, p in zip(kept, apart_K, adjusted_K, strict=True):
        inside = np.flatnonzero(group_P == group)
        near = inside[np.argsort(((place_PD[inside] - centre_KD[group]) ** 2).sum(axis=1), kind="stable")][:4]
        kl = mean_estimate(own_kl_P[inside].astype(np.float64)[None], level=level)
        described.append(
            PromptCluster(
                prompts=[str(prompts[int(place)]) for place in near],
                size=len(inside),
                kl=interval_of(kl),
                beyond=gap,
                p=float(p),
            )
        )
    return sorted(described, key=lambda each: -each.beyond)


def _apart(value_P: Floats, inside_P: NDArray[np.bool_]) -> float:
    return float(value_P[inside_P].mean() - value_P[~inside_P].mean())


def k_means(place_PD: Floats, count: int, *, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Return the cluster of each point and the centres (Lloyd's method, first centres far apart).

    The first centres are drawn as in k-means++ (Arthur and Vassilvitskii 2007).
    """
    centres = [place_PD[int(rng.integers(len(place_PD)))]]
    while len(centres) < count:
        far_P = np.min([((place_PD - centre) ** 2).sum(axis=1) for centre in centres], axis=0)
        if far_P.sum() == 0:
            break
        centres.append(place_PD[int(rng.choice(len(place_PD), p=far_P / far_P.sum()))])
    centre_KD = np.array(centres)
    group_P = np.zeros(len(place_PD), dtype=np.int64)
    for _ in range(50):
        far_PK = ((place_PD[:, None] - centre_KD[None]) ** 2).sum(axis=2)
        group_P = far_PK.argmin(axis=1)
        moved_KD = np.array(
            [
                place_PD[group_P == at].mean(axis=0) if (group_P == at).any() else centre_KD[at]
                for at in range(len(centre_KD))
            ]
        )
        if np.allclose(moved_KD, centre_KD):
            break
        centre_KD = moved_KD
    return group_P, centre_KD
