"""Any number of seeds through `arms` and `theorem`, a group at a time, so that memory stays bounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undertow.config.experiment import DigitsExperiment
from undertow.experiment.digits.arms import ARMS, STUDENTS, Trained, train_arms
from undertow.experiment.digits.data import CLASSES, Digits
from undertow.experiment.digits.theorem import TheoremCheck, check_theorem
from undertow.system.progress import Progress

_GROUP = 8  # seeds in one batched model: enough to keep the processor busy


@dataclass(frozen=True)
class Measured:
    """Everything that was measured, seeds in the order of the spec."""

    accuracy: dict[str, npt.NDArray[np.float64]]
    """Arm to test accuracy_S."""
    steps: tuple[int, ...]
    """Optimiser steps of the curves' points."""
    curves: dict[str, npt.NDArray[np.float64]]
    """Student arm to accuracy_KS."""
    theorem: dict[str, TheoremCheck]
    """See `check_theorem`."""


def measure(spec: DigitsExperiment, digits: Digits, *, progress: Progress) -> Measured:
    """Train and test every arm of `spec`, and check the theorem, for each of its seeds."""
    groups = [spec.seeds[i : i + _GROUP] for i in range(0, len(spec.seeds), _GROUP)]
    parts: list[Measured] = []
    for i, seeds in enumerate(groups):

        def tick(stage: str, fraction: float, done: int = i, first: int = i * _GROUP + 1) -> None:
            progress.update(stage, (done + fraction) / len(groups), f"from seed {first} of {len(spec.seeds)}")

        trained = train_arms(spec, digits, seeds, tick=tick)
        parts.append(_with_theorem(trained, digits, seeds))
    return Measured(
        {arm: np.concatenate([part.accuracy[arm] for part in parts]) for arm in ARMS},
        parts[0].steps,
        {arm: np.concatenate([part.curves[arm] for part in parts], axis=1) for arm in STUDENTS},
        {case: _join([part.theorem[case] for part in parts]) for case in parts[0].theorem},
    )


def _with_theorem(trained: Trained, digits: Digits, seeds: tuple[int, ...]) -> Measured:
    theorem = check_theorem(
        trained.base,
        trained.other,
        trained.teacher,
        seeds,
        digits.train_NI,
        trained.labels_SN,
        classes=CLASSES,
    )
    return Measured(trained.accuracy, trained.steps, trained.curves, theorem)


def _join(checks: list[TheoremCheck]) -> TheoremCheck:
    return TheoremCheck(
        np.concatenate([check.inner_S for check in checks]),
        np.concatenate([check.cosine_S for check in checks]),
        np.concatenate([check.loss_change_S for check in checks]),
    )
