"""Do two local language models share an origin? From their weights alone, with no row and no forward pass.

A fine-tune moves weights little: its matrices stay near the original's, cosines near 1, and those that were frozen stay
equal bit for bit. Independent initialisations give cosines near 0. But the hidden units of a feed-forward layer can be
reordered without changing what the model does, and then cosines say nothing. So units are also matched: every gate row
of one model with a gate row of the other, by cosine, and once more by the up rows. Models with one origin give the same
matching twice; of independent ones the two matchings are unrelated, whatever the order of units
(Zhu et al. 2025, arXiv 2502.12292, MATCH, SPEARMAN and FISHER, algorithms 2 to 4, here on weights, not activations).

    found = weight_similarity(student.net, teacher.net)

Under the null hypothesis the two matchings are independent, which is exact for models at their random initialisation.
After training, a unit's gate row can correlate slightly with its up row, and small p-values are slightly too frequent.
An extreme case was simulated: unrelated layers in which the kind of unit strongly shows in both rows. Of these, 0.14
had p < 0.1 and 0.002 had p < 0.001 (tests/attribution/test_weight_similarity.py). What would hide an origin: rotating
the residual stream, or reordering layers.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from undertow.errors import ModelError
from undertow.models.engine.network import Network, network_of

LEVEL = 0.001
"""p-value below which two models are said to share an origin."""
APART = 0.2
"""Median cosine up to which models may be called different."""
UNITS, LAYERS = 512, 6
"""Hidden units of a layer that are matched, and layers, at most."""
_FEWEST = 8  # Hidden units with which a matching can say anything.
_SMALLEST = 1e-300  # No p-value is said to be smaller.


@dataclass(frozen=True)
class MatrixSimilarity:
    """Two matrices of the same name and shape."""

    name: str
    sha256: tuple[str, str]
    """Of the numbers as float32, so that the type a model was loaded in does not matter."""
    cosine: float


@dataclass(frozen=True)
class WeightSimilarity:
    """The answer, and why."""

    answer: Literal["same", "different", "unknown"]
    because: str
    p: float | None
    """Of the matchings' agreement, if the models were independent; None where units could not be matched."""
    cosine: float | None
    """Median over the matrices compared."""
    identical: int
    """Matrices that are equal bit for bit."""
    compared: int
    """Matrices of the same name and shape."""


def weight_similarity(left_net: Any, right_net: Any) -> WeightSimilarity:
    """Judge whether two causal language models of `transformers` share an origin.

    Judged is the model underneath PEFT's adapters. Other numbers or shapes of layers say nothing of the origin.
    """
    try:
        left, right = network_of(left_net), network_of(right_net)
    except ModelError as error:
        return WeightSimilarity("unknown", error.what, None, None, 0, 0)
    found = fingerprints(left_net, right_net)
    compared, identical = len(found), sum(len(set(each.sha256)) == 1 for each in found)
    cosine = float(np.median([each.cosine for each in found])) if found else None
    if (obstacle := _obstacle(left, right)) or cosine is None:
        return WeightSimilarity("unknown", obstacle or "no matrices to compare", None, cosine, identical, compared)
    p = independence(left, right, rng=np.random.default_rng(0))
    how = "by gate and by up rows alike" if p < LEVEL else "no better than chance"
    near = f"{identical} of {compared} matrices are equal, with a median cosine of {cosine:.2f}"
    answer = "same" if p < LEVEL else "unknown" if identical or abs(cosine) > APART else "different"
    return WeightSimilarity(answer, f"hidden units match {how} (p = {p:.2g}); {near}", p, cosine, identical, compared)


def fingerprints(left_net: Any, right_net: Any) -> tuple[MatrixSimilarity, ...]:
    """Compare the matrices of two models, embeddings and layers, that have the same name and shape.

    Norms and biases are left out, and matrices that hold one number only: they start alike in unrelated models.
    """
    left, right = (_matrices(network_of(net).stack) for net in (left_net, right_net))
    return tuple(
        MatrixSimilarity(name, (_sha256(one), _sha256(right[name])), _cosine(one, right[name]))
        for name, one in left.items()
        if name in right and one.shape == right[name].shape
    )


def independence(left: Network, right: Network, *, rng: np.random.Generator) -> float:
    """Return the p-value of the agreement of units matched by gate and by up rows, over a few layers.

    One-sided, layers combined by Fisher's method. Only units of the left stack are sampled, and each may be matched
    with every unit of the right, so that the order of either model's units does not matter.
    """
    from scipy import stats

    count = len(left.layers)
    places = np.unique(np.linspace(0, count - 1, min(count, LAYERS)).round().astype(int)).tolist()
    one, other = _units(left), _units(right)
    p_L = [agreement_p(*one[at], *other[at], rng=rng) for at in places]
    found: Any = stats.combine_pvalues(p_L, method="fisher")
    return max(float(found.pvalue), _SMALLEST)


def agreement_p(
    gate_UD: Tensor, up_UD: Tensor, other_gate_UD: Tensor, other_up_UD: Tensor, *, rng: np.random.Generator
) -> float:
    """Return the p-value of one layer: Spearman's rank correlation of two matchings, one-sided.

    Units of the other model are numbered anew at random. Otherwise, where their order means something (sorted by use,
    say), matchings that agree on no more than the kind would be correlated (in the test's example p < 0.1 for 0.98).
    """
    from scipy import stats

    picked_P = rng.permutation(len(gate_UD))[:UNITS]
    number_U = rng.permutation(len(gate_UD))
    by_gate_P = number_U[matching(gate_UD[picked_P], other_gate_UD, rng=rng)]
    by_up_P = number_U[matching(up_UD[picked_P], other_up_UD, rng=rng)]
    found: Any = stats.spearmanr(by_gate_P, by_up_P, alternative="greater")
    # The t distribution that scipy uses gives 0 for equal matchings; of P! matchings one is equal.
    return max(float(found.pvalue), math.exp(-math.lgamma(len(picked_P) + 1)), _SMALLEST)


def matching(rows_PD: Tensor, other_UD: Tensor, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return for each row its partner's place in the other matrix, shape (P), with the largest sum of cosines.

    P is at most U, and no partner is given twice. Ties, as between pruned units, are broken at random.
    """
    from scipy.optimize import linear_sum_assignment

    order_U = rng.permutation(len(other_UD))
    cosine_PU = normalize(_plain(rows_PD), dim=1) @ normalize(_plain(other_UD)[order_U], dim=1).T
    _, partner_P = linear_sum_assignment(cosine_PU.numpy(), maximize=True)
    return order_U[partner_P]


def _obstacle(left: Network, right: Network) -> str | None:
    """Return why units of two models cannot be matched, if so."""
    if len(left.layers) != len(right.layers):
        return f"the models have {len(left.layers)} and {len(right.layers)} layers"
    ones, others = _units(left), _units(right)
    if len(ones) != len(left.layers) or len(others) != len(right.layers):
        return "some feed-forward layers have no hidden units of their own (experts, for example)"
    for at in range(len(left.layers)):
        weights = (*ones[at], *others[at])
        if not all(_usable(weight) for weight in weights):
            return "weights of the feed-forward layers are not plain numbers, all finite"
        shapes = [" x ".join(map(str, weight.shape)) for weight in weights]
        if len(set(shapes)) > 1:
            return f"the feed-forward layers have different shapes, {shapes[0]} and {shapes[-1]}"
        if len(weights[0]) < _FEWEST:
            return f"{len(weights[0])} hidden units a layer are too few for a test"
    return None


def _units(network: Network) -> dict[int, tuple[Tensor, Tensor]]:
    """Return, for each layer that has them, two views of its hidden units (U, D): gate and up rows.

    Where both are one matrix, it is split. Without a gate, the second view is what each unit adds to the output. The
    feed-forward layer is recognised by its last matrix, which reads as many units as the others put out.
    """
    width = network.config.hidden_size
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for at in range(len(network.layers)):
        own = [each for each in network.matrices if each.layer == at]
        for place, down in enumerate(own):
            before = [each.weight_OI for each in own[:place] if each.name.split(".")[0] == down.name.split(".")[0]]
            rows = [each for each in before if each.shape[1] == width]
            if down.outputs != width or not rows or len(down.name.split(".")) < 2 or "att" in down.name.split(".")[0]:
                continue
            units = down.inputs
            if len(rows) >= 2 and rows[-1].shape[0] == rows[-2].shape[0] == units:
                found[at] = (rows[-2], rows[-1])
            elif rows[-1].shape[0] == 2 * units:
                found[at] = (rows[-1][:units], rows[-1][units:])
            elif rows[-1].shape[0] == units:
                found[at] = (rows[-1], down.weight_OI.T)
    return found


def _matrices(stack: Any) -> dict[str, Tensor]:
    """Return the usable matrices of a stack by name, without PEFT's adapters."""
    named = ((name.replace(".base_layer.", "."), weight) for name, weight in stack.named_parameters())
    return {name: each for name, each in named if each.ndim == 2 and ".lora_" not in name and _usable(each)}


def _usable(weight: Tensor) -> bool:
    """Whether a weight is in memory, unpacked, finite, and more than one number over and over."""
    if weight.is_meta or not weight.is_floating_point():
        return False
    low, high = _plain(weight).aminmax()
    return bool(torch.isfinite(low) and torch.isfinite(high) and low < high)


def _plain(weight: Tensor) -> Tensor:
    return weight.detach().to("cpu", torch.float32).contiguous()


def _sha256(weight: Tensor) -> str:
    return hashlib.sha256(_plain(weight).view(-1).numpy().data).hexdigest()


def _cosine(left: Tensor, right: Tensor) -> float:
    one, other = (weight / weight.abs().max() for weight in (_plain(left), _plain(right)))
    inner, *squares = ((x * y).sum(dtype=torch.float64).item() for x, y in ((one, other), (one, one), (other, other)))
    return inner / math.sqrt(squares[0]) / math.sqrt(squares[1])
