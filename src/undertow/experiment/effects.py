"""From scores to effects: paired contrasts of arms with Holm's correction, transfer fraction, power and verdict.

The unit is log-odds of a target among the candidates, one number per seed and question. These are pure functions of
arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.arms import ARMS, CONTROL, TRAIT, Arm
from undertow.config.experiment import Judgement
from undertow.pipeline.arms import ExperimentTraits, words_of
from undertow.probes.odds import log_odds
from undertow.results import Effect, Interval, Power, VerdictRecord
from undertow.traits.base import Trait

Floats = NDArray[np.float64]

POWER = 0.8
SD_OF_SEEDS = 0.33
"""Standard deviation, over seeds, of the paired difference of two arms (log-odds, mean over questions) that `plan`
assumes: that of the preset owl-numbers (trait minus control, 3 seeds). Other settings may have another."""


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of all candidates: the base's, the teachers', and every arm's students', seed by seed."""

    base_QC: Floats
    teachers: Mapping[Arm, Floats]
    """Arm to logp_TQC: of one teacher, or of one for each seed."""
    students: Mapping[Arm, Floats]
    """Arm to logp_SQC, in the order of the seeds."""


@dataclass(frozen=True)
class _Contrast:
    arm: Arm
    against: Arm
    target: Trait
    says: str


def _contrasts(arms: Sequence[Arm], traits: ExperimentTraits) -> list[_Contrast]:
    """Return the contrasts of an experiment's arms, in the order of `ARMS`."""
    measured, words = {"trait": traits.trait, "other": traits.other}, words_of(traits)
    return [
        _Contrast(each.arm or name, each.against, target, each.words.format(**words))
        for name, arm in ARMS.items()
        if name in arms
        for each in arm.contrasts
        if (target := measured[each.measures]) is not None
    ]


def effects_of(scores: Scores, traits: ExperimentTraits, arms: Sequence[Arm], level: float) -> list[Effect]:
    """Return every contrast of arms, the primary one first, with Holm's correction over all of them."""
    contrasts = _contrasts(arms, traits)
    pairs = [
        (
            log_odds(scores.students[each.arm], each.target.index),
            log_odds(scores.students[each.against], each.target.index),
        )
        for each in contrasts
    ]
    tests = [stats.paired_test(arm_SQ - other_SQ, rng=np.random.default_rng(0)) for arm_SQ, other_SQ in pairs]
    adjusted = stats.holm([test.p for test in tests])
    effects: list[Effect] = []
    for index, (each, (arm_SQ, other_SQ)) in enumerate(zip(contrasts, pairs, strict=True)):
        estimate = stats.paired_difference(arm_SQ, other_SQ, level=level)
        effects.append(
            Effect(
                name=f"{each.arm}-{each.against}:{each.target.target}",
                arm=each.arm,
                contrast=each.against,
                trait=each.target.target,
                seeds=arm_SQ.shape[0],
                p=tests[index].p,
                p_adjusted=float(adjusted[index]),
                primary=index == 0,
                says=each.says,
                value=estimate.value,
                lo=estimate.lo,
                hi=estimate.hi,
                n=estimate.n,
                method=f"{estimate.method}; p: {tests[index].method}",
            )
        )
    return effects


def verdict_of(primary: Effect, judgement: Judgement) -> VerdictRecord:
    """Judge the primary effect."""
    answer = stats.verdict(
        stats.Estimate(primary.value, primary.lo, primary.hi, primary.n, primary.method),
        1.0 if primary.p is None else primary.p,
        smallest_effect=judgement.smallest_effect,
        level=judgement.level,
        unit="log-odds",
        what=f"{primary.trait}, {primary.arm} arm minus {primary.contrast} arm",
    )
    return VerdictRecord(status=answer.status, because=answer.because)


def transfer_of(scores: Scores, traits: ExperimentTraits, level: float) -> Interval | None:
    """Estimate (student - control) / (teacher - base); None where it means nothing."""
    index = traits.trait.index
    fraction = stats.transfer_fraction(
        log_odds(scores.students[TRAIT], index),
        log_odds(scores.students[CONTROL], index),
        log_odds(scores.teachers[TRAIT], index),
        log_odds(scores.base_QC, index),
        level=level,
    )
    return Interval(**fraction.as_dict()) if fraction else None


def power_of_run(scores: Scores, traits: ExperimentTraits, level: float) -> Power | None:
    """Say what this design could have seen, with the spread that its seeds had; None with one seed."""
    index = traits.trait.index
    moved_S = (log_odds(scores.students[TRAIT], index) - log_odds(scores.students[CONTROL], index)).mean(axis=1)
    if len(moved_S) < 2:
        return None
    smallest = stats.smallest_effect(float(moved_S.std(ddof=1)), len(moved_S), power=POWER, level=level)
    says = (
        f"With {len(moved_S)} seeds that vary as these did, a shift of {smallest:.2g} log-odds would be seen four "
        "times out of five."
    )
    return Power(smallest_effect=smallest, power=POWER, level=level, says=says)
