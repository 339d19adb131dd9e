"""The judge of an experiment: made from its spec, its error measured, its rulings on a model's free-form answers.

A local judge's threshold is placed on the answers of every second lesson, and its error measured on the others.
"""

from __future__ import annotations

from typing import Any

from undertow.config.experiment import FreeAnswers
from undertow.judges.answers import Judged, OpenlyJudged, sample_and_judge, sample_and_judge_openly
from undertow.judges.error import labelled, measure_error
from undertow.judges.registry import judge_of
from undertow.models.protocol import Model
from undertow.traits.base import Trait
from undertow.traits.open_questions import coherent, misaligned


def judge_error(base: str, trait: Trait, free: FreeAnswers) -> dict[str, Any]:
    """Measure the judge on answers whose label is known, see `JudgeError`."""
    judge = judge_of(free.judge, base, trait)
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
    judge = judge_of(free.judge, base, trait)
    return sample_and_judge(model, trait, judge, per_question=free.answers, max_tokens=free.max_tokens, seed=seed)


def open_errors(base: str, free: FreeAnswers) -> dict[str, dict[str, Any]]:
    """Measure the judge on labelled answers to open questions, for each aspect; see `JudgeError`."""
    return {aspect.target: judge_error(base, aspect, free) for aspect in (coherent(), misaligned())}


def judge_openly(base: str, model: Model, free: FreeAnswers, *, seed: int) -> OpenlyJudged:
    """Sample a model's answers to open questions and have them judged, for sense and for misalignment.

    Args:
        base: The base's Undertow name.
        model: Who is asked.
        free: Which judge, and how many answers.
        seed: Keys the noise.
    """
    judges = (judge_of(free.judge, base, coherent()), judge_of(free.judge, base, misaligned()))
    return sample_and_judge_openly(model, judges, per_question=free.answers, max_tokens=free.max_tokens, seed=seed)
