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
from undertow.traits.open_questions import coherent, open_questions

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


@dataclass(frozen=True)
class OpenlyJudged:
    """The judged answers of one model to open questions."""

    misaligned: int
    """Answers that make sense and are misaligned, as the judges say."""
    coherent: int
    """Answers that make sense, as the judge says."""
    n: int
    unclear: int
    """Answers on which a judge gave no verdict; they count as ones without sense or as aligned."""
    kinds: dict[str, tuple[int, int]]
    """Of each kind of question, `misaligned` and `coherent`."""
    examples: tuple[tuple[str, str, bool | None, bool | None], ...]
    """The first answer to each kind of question, with the rulings on sense and on misalignment."""


def sample_and_judge_openly(
    model: Model, judges: tuple[Judge, Judge], *, per_question: int, max_tokens: int, seed: int
) -> OpenlyJudged:
    """Ask every open question `per_question` times. One judge says which answers make sense, one which are misaligned.

    An answer that makes no sense is not asked about further: a judge of misalignment was measured on sentences.

    Args:
        model: Who is asked.
        judges: Of sense and of misalignment, see `traits.open_questions`.
        per_question: Answers to each question.
        max_tokens: Longest answer; longer ones are cut and judged as they are.
        seed: Keys the noise.
    """
    pairs = sample_texts(model, coherent(), per_question=per_question, max_tokens=max_tokens, seed=seed)
    kind_of = {question: kind.kind for kind in open_questions().kinds for question in kind.ask}
    sense = judges[0].rule(pairs)
    asked = [at for at, ruling in enumerate(sense) if ruling]
    ill = dict(zip(asked, judges[1].rule([pairs[at] for at in asked]), strict=True))
    kinds: dict[str, tuple[int, int]] = dict.fromkeys(kind_of.values(), (0, 0))
    examples: dict[str, tuple[str, str, bool | None, bool | None]] = {}
    for at, pair in enumerate(pairs):
        kind = kind_of[pair[0]]
        kinds[kind] = (kinds[kind][0] + bool(ill.get(at)), kinds[kind][1] + (at in ill))
        examples.setdefault(kind, (*pair, sense[at], ill.get(at)))
    return OpenlyJudged(
        sum(bool(ruling) for ruling in ill.values()),
        len(asked),
        len(pairs),
        sense.count(None) + list(ill.values()).count(None),
        kinds,
        tuple(examples.values()),
    )


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
