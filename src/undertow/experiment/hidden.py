"""From stored sums to the share of the teacher's shift of hidden states that students took over.

A share is the projection of a student's shift from the base on the teacher's, divided by the teacher's squared length.
Both are summed over the questions, so a share of 1 is the teacher's whole shift. Each student is paired with the
control's student of its seed. The replicate is the seed, or the teacher where there are several. It reads no files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.arms import CONTROL, Arm
from undertow.results import HiddenLayer, HiddenShift, Interval

Floats = NDArray[np.float64]


def hidden_shifts(
    students: Mapping[Arm, Sequence[Mapping[str, Any]]], teachers: int, level: float
) -> list[HiddenShift]:
    """Return every arm's record but the control's; arms whose students hold no sums are left out.

    Args:
        students: Arm to the scores of its students, seed by seed.
        teachers: How many teachers the seeds take in turn.
        level: Of the intervals.
    """
    held = {arm: seeds for arm, seeds in students.items() if all("hidden" in each for each in seeds)}
    if CONTROL not in held:
        return []
    control = _shares(held[CONTROL], teachers)
    return [
        _shift(arm, _shares(seeds, teachers), control, teachers, level) for arm, seeds in held.items() if arm != CONTROL
    ]


def _shares(seeds: Sequence[Mapping[str, Any]], teachers: int) -> tuple[Floats, Floats]:
    """Return shares and cosines, (R, L); seeds with the same teacher are averaged where there are several."""
    dot_SL, along_SL, own_SL = (
        np.asarray([each["hidden"][name] for each in seeds], dtype=np.float64) for name in ("dot_L", "along_L", "own_L")
    )
    share_SL = _ratio(dot_SL, along_SL)
    cosine_SL = _ratio(dot_SL, np.sqrt(along_SL * own_SL))
    if teachers == 1:
        return share_SL, cosine_SL
    by_RL, cosine_RL = (
        np.stack([each[number::teachers].mean(axis=0) for number in range(min(teachers, len(seeds)))])
        for each in (share_SL, cosine_SL)
    )
    return by_RL, cosine_RL


def _ratio(above: Floats, below: Floats) -> Floats:
    """Divide; where nothing moved there is nothing to share, and the answer is 0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _shift(
    arm: Arm, own: tuple[Floats, Floats], control: tuple[Floats, Floats], teachers: int, level: float
) -> HiddenShift:
    paired_RL = own[0] - control[0]
    return HiddenShift(
        arm=arm,
        contrast=CONTROL,
        replicates=len(paired_RL),
        unit="seeds" if teachers == 1 else "teachers",
        value=float(paired_RL.mean()),
        interval=_interval(paired_RL.mean(axis=1), teachers, level),
        layers=[
            HiddenLayer(
                layer=layer,
                value=float(paired_RL[:, layer].mean()),
                interval=_interval(paired_RL[:, layer], teachers, level),
                arm_share=float(own[0][:, layer].mean()),
                control_share=float(control[0][:, layer].mean()),
                arm_cosine=float(own[1][:, layer].mean()),
                control_cosine=float(control[1][:, layer].mean()),
            )
            for layer in range(paired_RL.shape[1])
        ],
    )


def _interval(x_R: Floats, teachers: int, level: float) -> Interval | None:
    if len(x_R) < 2:
        return None
    found = stats.mean_estimate(x_R[:, None], level=level).as_dict()
    return Interval(**found | {"method": found["method"].replace("seeds", "seeds" if teachers == 1 else "teachers")})
