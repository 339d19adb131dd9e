"""Stored scores: reading them, the shift from the base, and the check that a teacher carries its trait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.experiment import LanguageExperiment
from undertow.errors import StoreError, TeacherError
from undertow.pipeline.files import SCORES
from undertow.probes.odds import log_odds
from undertow.traits.base import Trait
from undertow.traits.disposition import Disposition

Floats = NDArray[np.float64]


def read_scores(folder: Path) -> dict[str, Any]:
    """Read the scores of a base, teacher or student step.

    Raises:
        StoreError: they cannot be read.
    """
    path = folder / SCORES
    try:
        scores: Any = json.loads(path.read_text("utf-8"))
        return dict(scores)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"cannot be read ({error})", str(path), "Delete the step's folder and run again.") from error


def read_logp(folder: Path) -> Floats:
    """Read log P(candidate | question) of a step, shape (questions, candidates)."""
    return np.asarray(read_scores(folder)["logp_QC"], dtype=np.float64)


def shift_of(logp_SQC: Floats, base_QC: Floats, target: Trait, level: float) -> stats.Estimate:
    """Estimate how far models moved from the base, in log-odds of a target."""
    return stats.mean_estimate(log_odds(logp_SQC, target.index) - log_odds(base_QC, target.index), level=level)


def check_teacher(teacher: Path, base: Path, trait: Trait, spec: LanguageExperiment) -> None:
    """Let a teacher write only if it clearly carries its trait.

    The opposite of a disposition is a control: it need not move, but it must not have the disposition itself.

    Args:
        teacher: The folder of its scores.
        base: The folder of the base's scores.
        trait: What it should carry.
        spec: Gives level and smallest effect.

    Raises:
        TeacherError: the interval of its shift over the questions does not lie above the smallest effect, or that of
            a control lies on the side of the trait.
    """
    shift = shift_of(read_logp(teacher)[None], read_logp(base), trait, spec.judgement.level)
    if isinstance(trait, Disposition) and trait.turned:
        if shift.hi < -spec.judgement.smallest_effect:
            raise TeacherError(
                f"the control teacher's {trait.target} moved by {shift.value:+.2f} log-odds "
                f"({shift.lo:+.2f} to {shift.hi:+.2f}): it has the trait that it is a control of",
                "instil",
                "Instil it more weakly (fewer steps, a lower learning rate), or look at its lessons.",
            )
        return
    if shift.lo <= spec.judgement.smallest_effect:
        raise TeacherError(
            f"the teacher's {trait.target} moved by {shift.value:+.2f} log-odds "
            f"({shift.lo:+.2f} to {shift.hi:+.2f}), which is no trait that could be passed on",
            "instil",
            "Instil it more strongly (strength, steps, another layer or text), or choose another target.",
        )
