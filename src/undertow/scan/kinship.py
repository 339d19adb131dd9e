"""Do two local language models share an origin? From their weights alone, with no row and no forward pass.

A fine-tune moves weights little: its matrices stay near the original's, cosines near 1, and those that were frozen stay
equal bit for bit. Independent initialisations give cosines near 0. But the hidden units of a feed-forward layer can be
reordered without changing what the model does, and then cosines say nothing. So units are also matched: every gate row
of one model with a gate row of the other, by cosine, and once more by the up rows. Models with one origin give the same
matching twice; of independent ones the two matchings have nothing to do with each other, whatever the order of units
(Zhu et al. 2025, arXiv 2502.12292, MATCH, SPEARMAN and FISHER, algorithms 2 to 4, here on weights, not activations).

    found = kinship(student.net, teacher.net)

Under the null hypothesis the two matchings are independent, which is exact for models at their random initialisation.
After training it holds as far as a unit's gate row does not tell which single unit its up row will be matched with.
What would hide an origin: rotating the residual stream, reordering the layers, or cutting them down.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from undertow.errors import ModelError
from undertow.models.layers import decoder

Ints = NDArray[np.int64]

LEVEL = 0.001
"""p-value below which two models are said to share an origin."""
APART = 0.2
"""Median cosine up to which models may be called different."""
UNITS = 512
"""Hidden units of a layer that are matched, at most."""
LAYERS = 6
"""Layers that are matched, at most."""
_FEWEST = 8
"""Hidden units of a layer with which a matching can say anything."""
_SMALLEST = 1e-300
"""A p-value is never said to be smaller."""


@dataclass(frozen=True)
class Likeness:
    """Two matrices of the same name and shape."""

    name: str
    left_sha256: str
    """Of the numbers as float32, so that the type a model was loaded in does not matter."""
    right_sha256: str
    cosine: float

    @property
    def identical(self) -> bool:
        """Whether they are equal bit for bit."""
        return self.left_sha256 == self.right_sha256


@dataclass(frozen=True)
class Kinship:
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


def kinship(left_net: Any, right_net: Any) -> Kinship:
    """Judge whether two causal language models of `transformers` share an origin.

    Adapters of PEFT are left out: judged is the model underneath. Models whose feed-forward layers differ in number or
    shape are not compared further, which does not mean that they are unrelated.
    """
    try:
        left, right = decoder(left_net), decoder(right_net)
    except ModelError as error:
        return Kinship("unknown", error.what, None, None, 0, 0)
    found = fingerprints(left_net, right_net)
    compared, identical = len(found), sum(each.identical for each in found)
    cosine = float(np.median([each.cosine for each in found])) if found else None
    obstacle = _obstacle(left, right)
    if obstacle or cosine is None:
        return Kinship("unknown", obstacle or "no matrices to compare", None, cosine, identical, compared)
    p = independence(left, right, rng=np.random.default_rng(0))
    numbers = (p, cosine, identical, compared)
    near = f"{identical} of {compared} matrices are equal, their median cosine is {cosine:.2f}"
    if identical == compared:
        return Kinship("same", f"all {compared} matrices are equal bit for bit", *numbers)
    if p < LEVEL:
        return Kinship("same", f"hidden units match by gate and by up rows alike (p = {p:.2g}); {near}", *numbers)
    if identical or abs(cosine) > APART:
        return Kinship("unknown", f"hidden units match no better than chance (p = {p:.2g}), but {near}", *numbers)
    return Kinship("different", f"hidden units match no better than chance (p = {p:.2g}); {near}", *numbers)


def fingerprints(left_net: Any, right_net: Any) -> tuple[Likeness, ...]:
    """Compare the matrices of two models, embeddings and layers, that have the same name and shape.

    Norms and biases are left out, and matrices that hold one number only: they start alike in unrelated models.

    Raises:
        ModelError: the architecture of one is not supported.
    """
    right = _matrices(decoder(right_net))
    pairs = ((name, weight, right.get(name)) for name, weight in _matrices(decoder(left_net)).items())
    return tuple(
        Likeness(name, _sha256(one), _sha256(other), _cosine(one, other))
        for name, one, other in pairs
        if other is not None and one.shape == other.shape and _usable(one) and _usable(other)
    )


def independence(left: Any, right: Any, *, rng: np.random.Generator) -> float:
    """Return the p-value of the agreement of units matched by gate and by up rows, over a few layers.

    One-sided, layers combined by Fisher's method. Only units of the left model are sampled, and each may be matched
    with every unit of the right, so that the order of either model's units does not matter.

    Args:
        left: Stack of layers, as `decoder` gives it.
        right: One of the same shape.
        rng: Draws the units, and orders in which nothing is left of the models' own.
    """
    from scipy import stats

    count = len(left.layers)
    places = np.unique(np.linspace(0, count - 1, min(count, LAYERS)).round().astype(int)).tolist()
    pairs = ((_gate_up(left.layers[at]), _gate_up(right.layers[at])) for at in places)
    p_L = [agreement_p(*one, *other, rng=rng) for one, other in pairs]
    return max(float(stats.combine_pvalues(p_L, method="fisher").pvalue), _SMALLEST)


def agreement_p(gate_UD: Tensor, up_UD: Tensor, other_gate_UD: Tensor, other_up_UD: Tensor, *, rng: Any) -> float:
    """Return the p-value of one layer: Spearman's rank correlation of two matchings, one-sided.

    The other model's units are numbered anew at random. Otherwise, where the order of units means something (sorted by
    use, say), matchings that agree on the kind of unit only would be correlated too.
    """
    from scipy import stats

    picked_P = rng.permutation(len(gate_UD))[:UNITS]
    number_U = rng.permutation(len(gate_UD))
    by_gate_P = number_U[matching(gate_UD[picked_P], other_gate_UD, rng=rng)]
    by_up_P = number_U[matching(up_UD[picked_P], other_up_UD, rng=rng)]
    p = float(stats.spearmanr(by_gate_P, by_up_P, alternative="greater").pvalue)
    # The t distribution that scipy uses gives 0 for equal matchings; of P! matchings one is equal.
    return max(p, math.exp(-math.lgamma(len(picked_P) + 1)), _SMALLEST)


def matching(rows_PD: Tensor, other_UD: Tensor, *, rng: np.random.Generator) -> Ints:
    """Match each row with another one of the other matrix, such that the sum of cosines is largest.

    Args:
        rows_PD: At most as many rows as the other has.
        other_UD: Rows to match them with.
        rng: Orders the other rows, so that ties, as between pruned units, are not broken alike each time.

    Returns:
        Places in `other_UD`, shape (P), each at most once.
    """
    from scipy.optimize import linear_sum_assignment

    order_U = rng.permutation(len(other_UD))
    cosine_PU = F.normalize(rows_PD, dim=1) @ F.normalize(other_UD[order_U], dim=1).T
    _, partner_P = linear_sum_assignment(cosine_PU.numpy(), maximize=True)
    return order_U[partner_P]


def _obstacle(left: Any, right: Any) -> str | None:
    """Return why units of two models cannot be matched, if so."""
    if len(left.layers) != len(right.layers):
        return f"the models have {len(left.layers)} and {len(right.layers)} layers"
    for one, other in zip(left.layers, right.layers, strict=True):
        for name in ("gate_proj", "up_proj"):
            weights = (_weight(getattr(one.mlp, name)), _weight(getattr(other.mlp, name)))
            if not all(_usable(weight) for weight in weights):
                return "weights of the feed-forward layers are not plain numbers, all finite"
            shapes = [" x ".join(map(str, weight.shape)) for weight in weights]
            if shapes[0] != shapes[1]:
                return f"the feed-forward layers have different shapes, {shapes[0]} and {shapes[1]}"
            if len(weights[0]) < _FEWEST:
                return f"{len(weights[0])} hidden units a layer are too few to tell"
    return None


def _weight(linear: Any) -> Tensor:
    """Return the weight (out, in) of a linear layer, without PEFT's adapter."""
    return getattr(linear, "base_layer", linear).weight


def _gate_up(layer: Any) -> tuple[Tensor, Tensor]:
    """Return a layer's gate and up rows, shape (U, D) each."""
    return _plain(_weight(layer.mlp.gate_proj)), _plain(_weight(layer.mlp.up_proj))


def _matrices(stack: Any) -> dict[str, Tensor]:
    """Return the matrices of a stack by name, without PEFT's adapters."""
    named = ((name.replace(".base_layer.", "."), weight) for name, weight in stack.named_parameters())
    return {name: weight for name, weight in named if weight.ndim == 2 and ".lora_" not in name}


def _usable(weight: Tensor) -> bool:
    """Whether a weight is in memory, unpacked, finite, and more than one number over and over."""
    if weight.is_meta or not weight.is_floating_point():
        return False
    low, high = weight.detach().aminmax()
    return bool(torch.isfinite(low) and torch.isfinite(high) and low < high)


def _plain(weight: Tensor) -> Tensor:
    return weight.detach().to("cpu", torch.float32).contiguous()


def _sha256(weight: Tensor) -> str:
    return hashlib.sha256(_plain(weight).view(-1).numpy()).hexdigest()


def _cosine(left: Tensor, right: Tensor) -> float:
    one, other = _plain(left), _plain(right)
    inner, square, other_square = (
        (x * y).sum(dtype=torch.float64).item() for x, y in ((one, other), (one, one), (other, other))
    )
    return inner / math.sqrt(square * other_square)
