"""Free-form answers, sampled and judged: what a model says when it may say anything.

The noise is keyed by question and repetition, so that base and students are asked with the same random numbers. The
shares that it counts are the judge's, errors included; `stats.corrected_share` corrects them.
"""

from __future__ import annotations

from dataclasses import dataclass

from undertow.judges.base import Judge
from undertow.models.protocol import Model
from undertow.probes.sampled import sample_texts
from undertow.traits.base import Trait

_KEPT = 4
"""Answers that are stored for people to read."""


@dataclass(frozen=True)
class Judged:
    """The judged answers of one model."""

    shown: int
    """Answers that show the trait, as the judge says."""
    n: int
    unclear: int
    """Answers on which the judge gave no verdict; they count among those that do not show it."""
    examples: tuple[tuple[str, str, bool | None], ...]
    """The first questions with their answers and rulings."""


def sample_and_judge(
    model: Model, trait: Trait, judge: Judge, *, per_question: int, max_tokens: int, seed: int
) -> Judged:
    """Ask every question `per_question` times, and have the answers judged.

    Args:
        model: Who is asked.
        trait: Gives the questions.
        judge: Who rules.
        per_question: Answers to each question.
        max_tokens: Longest answer; longer ones are cut and judged as they are.
        seed: Keys the noise.
    """
    pairs = sample_texts(model, trait, per_question=per_question, max_tokens=max_tokens, seed=seed)
    rulings = judge.rule(pairs)
    examples = tuple((*pair, ruling) for pair, ruling in zip(pairs[:_KEPT], rulings, strict=False))
    return Judged(sum(bool(ruling) for ruling in rulings), len(rulings), rulings.count(None), examples)
