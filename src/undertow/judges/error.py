"""How often a judge is wrong, on answers whose label is known.

A disposition brings such answers along: the lessons' questions with the replies that show the trait and with those that
do not. They are easier than what a model writes, so the error that is measured is a lower bound: label answers of your
own where it matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from undertow.judges.base import Judge
from undertow.stats.misclassification import JudgeError
from undertow.traits.base import Trait


class Labelled(NamedTuple):
    """Answers with their labels."""

    pairs: list[tuple[str, str]]
    """Question and answer."""
    shown: list[bool]

    def part(self, start: int) -> Labelled:
        """Return every second question's answers, of both kinds, from the first (0) or from the second (1)."""
        chosen = [at for at in range(len(self.pairs)) if (at // 2) % 2 == start]
        return Labelled([self.pairs[at] for at in chosen], [self.shown[at] for at in chosen])


def labelled(trait: Trait) -> Labelled:
    """Return a trait's lessons, each with an answer that shows it and, after it, one that does not."""
    pairs: list[tuple[str, str]] = []
    shown: list[bool] = []
    for choice in trait.lessons:
        other = next(option for at, option in enumerate(choice.options) if at != trait.index)
        pairs += [(choice.question, choice.options[trait.index]), (choice.question, other)]
        shown += [True, False]
    return Labelled(pairs, shown)


def measure_error(judge: Judge, answers: Sequence[tuple[str, str]], shown: Sequence[bool]) -> JudgeError:
    """Count a judge's hits and misses. An answer without a verdict counts as one that is said not to show the trait.

    Args:
        judge: Who rules.
        answers: Questions and answers.
        shown: Whether each shows the trait.
    """
    rulings = judge.rule(answers)
    return JudgeError(
        hits=sum(bool(ruling) for ruling, label in zip(rulings, shown, strict=True) if label),
        shown=sum(shown),
        clear=sum(not ruling for ruling, label in zip(rulings, shown, strict=True) if not label),
        unshown=len(shown) - sum(shown),
    )
