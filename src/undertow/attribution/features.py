"""What a scan computes of every row: its gradient, seen along the traits of the panel, and how surprising it is.

One plain gradient step of rate eta on log p(row) changes a trait's log-odds by eta times the inner product of the two
gradients (the first-order term behind theorem 1 of Cloud et al. 2025, arXiv 2507.14805). That product is computed here
for every row and every trait of the panel at once, from projected gradients (`capture`).

Rows that the untouched base wrote need no counterpart to be compared with: the score of a model on its own samples has
mean zero (Bartlett's first identity, E grad log p = 0). So log-probabilities are taken among the tokens that could be
written (`sampling`), and what is left of the sum over many rows is the teacher's doing.

It knows token sequences and directions; rows and their files are `scan`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertow.attribution.capture import captured, norm_count
from undertow.attribution.directions import Directions
from undertow.attribution.sampling import Encoded, Sampling, possible_logprobs
from undertow.models.engine.head import head_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel
from undertow.models.memory import tokens_that_fit
from undertow.models.packing import Packed, pack
from undertow.models.score import Batch, batches_of
from undertow.training.train import token_weights

Floats = NDArray[np.float64]

SKETCH = 512
"""Random directions that a row's gradient is kept along, to see what it has in common with other rows'."""


@dataclass(frozen=True)
class Features:
    """Of some rows. Letters: R rows, K traits, S sketched directions, F norm weights."""

    alignment_RK: Floats
    """Inner product of the row's gradient with each trait's, in nats; rows with one prompt share its part equally. Like
    the other gradients it is that of the row's weight times log p(row)."""
    sketch_RS: Floats
    """The gradient along random directions, scaled so that squared lengths are kept on average."""
    logp_R: Floats
    """log p(row) in nats."""
    tokens_R: Floats
    """Of the answers, each token counted as often as its row's weight says."""
    mean_F: NDArray[np.float32]
    """The gradient's mean over the rows, the norm weights' part."""
    weight_R: Floats | None = None
    """Of each row; None where all are 1."""

    def __len__(self) -> int:
        return len(self.logp_R)


def row_features(
    model: LocalModel,
    rows: Sequence[Encoded],
    directions: Directions,
    sampling: Sampling,
    *,
    autocast: bool = False,
    tokens_at_once: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Features:
    """Compute the features of rows.

    Args:
        model: The base.
        rows: The rows; equal prompts are computed once.
        directions: Of the panel's traits in this base.
        sampling: Among which tokens log-probabilities are taken.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
        tokens_at_once: Of a pass, which bounds the memory; by the model's size when absent.
        on_progress: Called with the number of finished rows.
    """
    count = len(rows)
    alignment_RK = np.zeros((count, len(directions.names)))
    sketch_RS = np.zeros((count, SKETCH))
    logp_R = np.zeros(count)
    norms = norm_count(model.net)
    total_F = torch.zeros(norms)
    sketcher = Sketcher(directions.gradients_KF.shape[1])
    done = 0
    most = tokens_at_once or tokens_that_fit(model.net)
    for batch in batches_of([row.prompt for row in rows], [row.answer for row in rows], most):
        own = [rows[pair] for pair in batch.pairs]
        gradients_RF, logps = row_gradients(model, own, batch, sampling, autocast=autocast)
        at = list(batch.pairs)
        alignment_RK[at] = (gradients_RF @ directions.measured_KF.T).double().numpy()
        sketch_RS[at] = sketcher(gradients_RF)
        logp_R[at] = logps
        total_F += gradients_RF[:, :norms].sum(dim=0)
        done += len(at)
        on_progress(done)
    tokens_R = np.array([row.weight * len(row.answer) for row in rows], dtype=np.float64)
    plain = all(row.weight == 1 for row in rows)
    weight_R = None if plain else np.array([row.weight for row in rows], dtype=np.float64)
    return Features(alignment_RK, sketch_RS, logp_R, tokens_R, (total_F / max(count, 1)).numpy(), weight_R)


def sketch_of(directions: Directions) -> Floats:
    """Return the traits' directions as rows are sketched, shape (K, S)."""
    return Sketcher(directions.gradients_KF.shape[1])(directions.gradients_KF)


class Sketcher:
    """Adds up coordinates in random places with random signs (count sketch: Charikar et al. 2002)."""

    def __init__(self, width: int) -> None:
        rng = np.random.default_rng(0x5CE7)
        self.place_F = torch.tensor(rng.integers(SKETCH, size=width))
        self.sign_F = torch.tensor(rng.choice(np.array([-1.0, 1.0], dtype=np.float32), size=width))

    def __call__(self, gradients_RF: Tensor) -> Floats:
        """Return the sketches (R, S) of gradients (R, F)."""
        signed_RF = gradients_RF * self.sign_F
        return signed_RF.new_zeros(len(signed_RF), SKETCH).index_add(1, self.place_F, signed_RF).double().numpy()


def row_gradients(
    model: LocalModel, rows: Sequence[Encoded], batch: Batch, sampling: Sampling, *, autocast: bool = False
) -> tuple[Tensor, list[float]]:
    """Return projected gradients (R, F) of weight times log p(row), and log p(row), of one batch."""
    head = head_of(model.net)
    # A system prompt is computed anew for each prompt: shared by all, it would tie different prompts together.
    numbers: dict[tuple[int, ...], int] = {}
    apart = [numbers.setdefault(row.prompt, len(numbers)) for row in rows]
    sequences = [(*row.prompt, *row.answer[:-1]) for row in rows]
    packed = pack(sequences, batch.groups, apart=apart).to(head.device)
    with captured(model.net) as record:
        with torch.autocast(head.device.type, torch.bfloat16, enabled=autocast):
            hidden_ND = record.last(forward_packed(model.net, packed))
        node_T = torch.cat([path[-len(row.answer) :] for path, row in zip(packed.paths, rows, strict=True)])
        logp_T = possible_logprobs(hidden_ND[node_T], head, rows, sampling)
        weight_T = token_weights(rows)
        (logp_T if weight_T is None else logp_T * weight_T.to(logp_T.device)).sum().backward()
    segment_N, shares_RS = _segments(packed)
    gradients_RF = (shares_RS @ record.per_segment(segment_N, shares_RS.shape[1])).cpu()
    lengths = [len(row.answer) for row in rows]
    return gradients_RF, [float(part.sum()) for part in logp_T.detach().double().cpu().split(lengths)]


def _segments(packed: Packed) -> tuple[Tensor, Tensor]:
    """Group the nodes that the same rows share: the segment of each node (N), and each row's part in one (R, S)."""
    owners: list[list[int]] = [[] for _ in range(len(packed.ids_N))]
    for row, path in enumerate(packed.paths):
        for node in path.tolist():
            owners[node].append(row)
    known: dict[tuple[int, ...], int] = {}
    segments = [known.setdefault(tuple(some), len(known)) for some in owners]
    shares_RS = torch.zeros(len(packed.paths), len(known))
    for some, segment in known.items():
        shares_RS[list(some), segment] = 1 / len(some)
    device = packed.ids_N.device
    return torch.tensor(segments, device=device), shares_RS.to(device)
