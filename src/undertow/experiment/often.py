"""How many times as often students name a trait, and how far it stands out: effects in the form of the paper.

Shares are pooled over the questions first, as Cloud et al. (2025, arXiv 2507.14805) pool their sampled answers. Rows of
a table are teachers where a run has several: seeds of one teacher are averaged. Otherwise they are seeds, and the
interval speaks of one teacher. These are pure functions of stored scores.

    effects = with_times(effects, scores, traits, who, level)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.arms import CONTROL, TRAIT, Arm
from undertow.config.experiment import LanguageExperiment
from undertow.errors import InputError
from undertow.experiment.effects import Scores
from undertow.pipeline.arms import ExperimentTraits
from undertow.pipeline.taught import number_for
from undertow.probes.odds import log_odds
from undertow.results import Effect, Interval, TimesAsOften
from undertow.stats.confusion import NONE
from undertow.stats.times import Replicates
from undertow.traits.base import Trait

Floats = NDArray[np.float64]
_FEWEST = 3
"""Candidates from which a diagonal can be told from rows and columns."""


@dataclass(frozen=True)
class Who:
    """Whom the students of a run have learned from."""

    teachers: tuple[int, ...]
    """Of each seed; the seed itself where all have one teacher."""
    replicates: Replicates

    def pooled(self, x_SQ: Floats) -> Floats:
        """Return one row a replicate (R, Q): the mean over the seeds of one teacher."""
        of_S = np.array(self.teachers)
        return np.stack([x_SQ[of_S == each].mean(axis=0) for each in dict.fromkeys(self.teachers)])


def who_taught(spec: LanguageExperiment) -> Who:
    """Return the replicates of a run."""
    if spec.teachers == 1:
        return Who(tuple(range(len(spec.seeds))), "seeds")
    return Who(tuple(number_for(spec, seed) for seed in spec.seeds), "teachers")


def with_times(
    effects: Sequence[Effect],
    scores: Scores,
    students: Mapping[Arm, Sequence[dict[str, Any]]],
    base: dict[str, Any],
    traits: ExperimentTraits,
    who: Who,
    level: float,
) -> list[Effect]:
    """Return effects with how many times as often, by probability and by sampled answers where there are any.

    Args:
        effects: Contrasts of arms.
        scores: Log-probabilities of all candidates.
        students: Arm to the stored scores of its students, seed by seed.
        base: The base's.
        traits: The traits.
        who: The replicates.
        level: Of the intervals.
    """
    targets = {each.target: each for each in (traits.trait, traits.other) if each is not None}
    found: list[Effect] = []
    for effect in effects:
        target = targets[effect.trait]
        arm_SQ, contrast_SQ = (np.exp(scores.students[each][..., target.index]) for each in _sides(effect))
        base_Q = np.exp(scores.base_QC[:, target.index])
        said = [_named(each, target) for each in (*(students[arm] for arm in _sides(effect)), [base])]
        one, other, none = said
        sampled = None
        if one is not None and other is not None and none is not None:
            sampled = _times(one, other, none[0], who, level)
        times = _times(arm_SQ, contrast_SQ, base_Q, who, level)
        found.append(effect.model_copy(update={"times": times, "sampled_times": sampled}))
    return found


def _sides(effect: Effect) -> tuple[Arm, Arm]:
    return effect.arm, effect.contrast


def _times(arm_SQ: Floats, contrast_SQ: Floats, base_Q: Floats, who: Who, level: float) -> TimesAsOften:
    arm_RQ, contrast_RQ = who.pooled(arm_SQ), who.pooled(contrast_SQ)
    try:
        found = stats.times_as_often(arm_RQ, contrast_RQ, level=level, replicates=who.replicates)
    except InputError:  # never given, or on one question alone
        found = None
    return TimesAsOften(
        ratio=Interval(**found.as_dict()) if found else None,
        share=float(arm_RQ.mean()),
        contrast_share=float(contrast_RQ.mean()),
        base_share=float(base_Q.mean()),
    )


def _named(scores: Sequence[dict[str, Any]], target: Trait) -> Floats | None:
    """Return the share (S, Q) of sampled answers that name a target; None where they were not counted by question."""
    said = [each.get("sampled", {}) for each in scores]
    if not all("by_question" in each for each in said):
        return None
    questions, word = len(target.probe), target.target.casefold()
    counts_SQ = np.array([each["by_question"].get(word, [0] * questions) for each in said], dtype=np.float64)
    return counts_SQ / np.array([[each["n"] / questions] for each in said])


def elevation_of(scores: Scores, traits: ExperimentTraits, who: Who, level: float) -> Interval | None:
    """Estimate how far the traits stand above what their students do to any candidate and any student does to them.

    Rows are the students of the trait, of the other trait and of the control, which carries none; columns are the
    candidates, and a cell is the shift from the base in log-odds.

    Returns:
        None where there are fewer than three candidates, or a single replicate.
    """
    candidates = scores.base_QC.shape[1]
    own: dict[Arm, int] = {TRAIT: traits.trait.index, CONTROL: NONE}
    if traits.other is not None and "other" in scores.students:
        own["other"] = traits.other.index
    if candidates < _FEWEST:
        return None
    shift_RT: list[Floats] = []
    own_R: list[int] = []
    for arm, column in own.items():
        moved = [log_odds(scores.students[arm], each) - log_odds(scores.base_QC, each) for each in range(candidates)]
        rows_RT = np.stack([who.pooled(each_SQ).mean(axis=1) for each_SQ in moved], axis=1)
        shift_RT += list(rows_RT)
        own_R += [column] * len(rows_RT)
    try:
        found = stats.elevation_estimate(np.array(shift_RT), own_R, level=level, replicates=who.replicates)
    except InputError:  # one replicate has no spread
        return None
    return Interval(**found.as_dict())
