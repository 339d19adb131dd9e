"""From scores to effects: shifts of arms, paired contrasts with Holm's correction, transfer fraction, power, verdict.

Everything is in log-odds of a target among the candidates, one number per seed and question. Pure functions of arrays:
no files, no models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.experiment import Arm, Judgement
from undertow.pipeline.arms import ExperimentTraits, reference
from undertow.probes.odds import log_odds
from undertow.results import Effect, Interval, Power, VerdictRecord
from undertow.traits.base import Trait

Floats = NDArray[np.float64]

POWER = 0.8
SD_OF_SEEDS = 0.33
"""Standard deviation, over seeds, of the paired difference of two arms (log-odds, mean over questions) that `plan`
reckons with: that of the preset owl-numbers (trait minus control, 3 seeds). Other settings may have another."""


@dataclass(frozen=True)
class Scores:
    """Log-probabilities of all candidates: the base's, the teachers', and every arm's students', seed by seed."""

    base_QC: Floats
    teachers: Mapping[Arm, Floats]
    students: Mapping[Arm, Floats]
    """Arm to logp_SQC, in the order of the seeds."""


@dataclass(frozen=True)
class _Contrast:
    arm: Arm
    against: Arm
    target: Trait
    says: str


_MORE: Mapping[Arm, str] = {
    "shuffled": "What is left of it when the parts of each row stand in another order.",
    "paraphrased": "What is left of it when every answer says the same in another form.",
    "across": "What is left of it when every answer stands under the prompt of another.",
    "dose-25": "How much passes when one row in four is the trait teacher's.",
    "dose-50": "How much passes when every second row is the trait teacher's.",
    "dose-75": "How much passes when three rows in four are the trait teacher's.",
    "mixed": "How much passes when a second teacher wrote half of the rows.",
    "generation-2": "What passes on from students that become teachers themselves.",
    "other-base": "What passes when teacher and student do not share their base.",
    "in-context": "Whether the rows do anything when they are only read, by an untrained model.",
}


def _contrasts(arms: Sequence[Arm], traits: ExperimentTraits) -> list[_Contrast]:
    found = [
        _Contrast(
            "trait",
            "control",
            traits.trait,
            f"What passed from a teacher that {traits.trait.does} through rows that show nothing of it.",
        )
    ]
    found += [_Contrast(arm, reference(arm), traits.trait, says) for arm, says in _MORE.items() if arm in arms]
    if "other" in arms and traits.other is not None:
        found += [
            _Contrast(
                "trait",
                "other",
                traits.trait,
                f"The same, against a teacher that {traits.other.does}: what is specific to {traits.trait.topic}.",
            ),
            _Contrast(
                "other",
                "control",
                traits.trait,
                f"Whether a teacher that {traits.other.does} brings {traits.trait.topic} about as well.",
            ),
            _Contrast(
                "other",
                "control",
                traits.other,
                f"What passed from the teacher that {traits.other.does}: its own trait, in its own students.",
            ),
        ]
    return found


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
        log_odds(scores.students["trait"], index),
        log_odds(scores.students["control"], index),
        log_odds(scores.teachers["trait"], index)[None],
        log_odds(scores.base_QC, index),
        level=level,
    )
    return Interval(**fraction.as_dict()) if fraction else None


def power_of_run(scores: Scores, traits: ExperimentTraits, level: float) -> Power | None:
    """Say what this design could have seen, with the spread that its seeds had; None with one seed."""
    index = traits.trait.index
    moved_S = (log_odds(scores.students["trait"], index) - log_odds(scores.students["control"], index)).mean(axis=1)
    if len(moved_S) < 2:
        return None
    smallest = stats.smallest_effect(float(moved_S.std(ddof=1)), len(moved_S), power=POWER, level=level)
    says = (
        f"With {len(moved_S)} seeds that vary as these did, a shift of {smallest:.2g} log-odds would be seen four "
        "times out of five."
    )
    return Power(smallest_effect=smallest, power=POWER, level=level, says=says)
