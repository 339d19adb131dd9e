"""Did a model of the student's family write the rows? A test on the text alone, with another family to compare.

A text is on average most likely under the model that wrote it (Gibbs' inequality: E log p >= E log q under p). So the
log-likelihood of the rows is measured under the student's base and under a base of another family. Each has the
temperature and the format that fit it best. The difference is tested over prompts. A teacher that was changed a little
stays closer to its base than to any other family: its rows cost the base a few hundredths of a nat per token.

The limit is families that were not compared. `same` means that the rows are more likely under the student's base than
under the other models given. Without another model the answer is `unknown`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL = 0.01
"""p-value below which rows are said to come from one family or the other."""
ASKED = 64
"""Largest number of rows that are scored."""


@dataclass(frozen=True)
class Lineage:
    """The answer, and why."""

    answer: Literal["same", "different", "unknown"]
    because: str
    p: float | None = None


def judge_lineage(
    student_R: Floats, others: Sequence[tuple[str, Floats]], letters_R: Floats, cluster_R: Ints
) -> Lineage:
    """Compare how likely the rows are under the student's base and under models of other families.

    Args:
        student_R: log p(row) under the student's base, in nats.
        others: The same under other models, with their names.
        letters_R: Length of each row's answer in characters, for the wording.
        cluster_R: Equal for rows with the same prompt.
    """
    if not others:
        return Lineage("unknown", "no model of another family to compare with (--against)")
    name, gain_R = min(((name, student_R - other_R) for name, other_R in others), key=lambda pair: pair[1].sum())
    _, at_R = np.unique(cluster_R, return_inverse=True)
    sums_C = np.bincount(at_R, weights=gain_R)
    letters = float(letters_R.sum())
    if len(sums_C) < 3:
        return Lineage("unknown", f"{len(sums_C)} prompts are too few for a test")
    from scipy import stats

    error = float(sums_C.std(ddof=1)) / len(sums_C) ** 0.5
    t = float(sums_C.mean()) / error if error > 0 else 0.0
    # The hardest of several rivals is tested, so a finding against the student's family has so many chances.
    p = min(1.0, float(2 * stats.t.sf(abs(t), len(sums_C) - 1)) * (len(others) if t < 0 else 1))
    bits = float(sums_C.sum()) / letters / np.log(2)
    how = "more likely" if bits > 0 else "less likely"
    said = f"{abs(bits):.3f} bits a character {how} under the student's base than under {name}"
    if p >= LEVEL:
        return Lineage("unknown", f"{said}, which can be chance (p = {p:.2g})", p)
    return Lineage("same" if bits > 0 else "different", f"{said} (p = {p:.2g})", p)
