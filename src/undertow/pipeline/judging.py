"""The judge of an experiment: made from its spec, its error measured, its rulings on a model's free-form answers.

A local judge's threshold is placed on the answers of every second lesson, and its error measured on the others.
"""

from __future__ import annotations

from typing import Any

from undertow.config.experiment import FreeAnswers, LocalJudge, WordRule
from undertow.config.parts import Judge as JudgeSpec
from undertow.domains.mentions import Mentions
from undertow.judges.answers import Judged, sample_and_judge
from undertow.judges.base import RUBRIC, Judge
from undertow.judges.endpoint import EndpointJudge
from undertow.judges.error import labelled, measure_error
from undertow.judges.logprob import LogprobJudge
from undertow.judges.words import WordJudge
from undertow.models.local import load_model
from undertow.models.protocol import Model
from undertow.traits.base import Trait


def judge_of(base: str, trait: Trait, how: JudgeSpec) -> Judge:
    """Make the judge that a spec names.

    Args:
        base: The base's Undertow name, which a local judge is unless it names another.
        trait: What it judges.
        how: The spec's part.

    Raises:
        ModelError: its model cannot be loaded.
        InputError: its rubric has no place for the answer.
    """
    if isinstance(how, WordRule):
        return WordJudge(Mentions(how.words))
    if isinstance(how, LocalJudge):
        judge = LogprobJudge(load_model(how.model or base), trait.topic, how.rubric or RUBRIC)
        return judge.calibrated(*labelled(trait).part(0))
    return EndpointJudge(how.url, how.model, trait.topic, how.rubric or RUBRIC, how.key_variable)


def judge_error(base: str, trait: Trait, free: FreeAnswers) -> dict[str, Any]:
    """Measure the judge on answers whose label is known, see `JudgeError`."""
    judge = judge_of(base, trait, free.judge)
    return measure_error(judge, *labelled(trait).part(1))._asdict()


def judge_answers(base: str, model: Model, trait: Trait, free: FreeAnswers, *, seed: int) -> Judged:
    """Sample a model's answers and have them judged.

    Args:
        base: The base's Undertow name.
        model: Who is asked.
        trait: Gives the questions.
        free: Which judge, and how many answers.
        seed: Keys the noise.
    """
    judge = judge_of(base, trait, free.judge)
    return sample_and_judge(model, trait, judge, per_question=free.answers, max_tokens=free.max_tokens, seed=seed)
