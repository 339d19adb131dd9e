"""A judge that is a local model: it is asked whether an answer shows the trait, and prefers "Yes" or "No".

Nothing is sampled. The threshold on log P(Yes) - log P(No) is zero unless `calibrated` has placed it, which small
models need: they say Yes to most things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from undertow.config.parts import LocalJudge
from undertow.judges.base import RUBRIC, Ruling, ask
from undertow.judges.error import labelled
from undertow.models.local import LocalModel, load_model
from undertow.probes.choice import choice_logprobs
from undertow.traits.base import Choice, Trait

ANSWERS = ("Yes", "No")


@dataclass(frozen=True)
class LogprobJudge:
    """A local model with a rubric."""

    model: LocalModel
    topic: str
    """The trait as a noun."""
    rubric: str = RUBRIC
    threshold: float = 0.0
    """Log-odds above which an answer counts as showing the trait."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return log P(Yes) - log P(No) for every pair of question and answer, in nats.

        Raises:
            InputError: the rubric has no place for the answer.
        """
        if not pairs:
            return np.zeros(0)
        asked = [Choice(ask(self.rubric, self.topic, *pair), ANSWERS) for pair in pairs]
        logp_QC = choice_logprobs(self.model, asked)
        return logp_QC[:, 0] - logp_QC[:, 1]

    def rule(self, pairs: Sequence[tuple[str, str]]) -> list[Ruling]:
        """Return whether each answer's log-odds lie above the threshold."""
        return [bool(score > self.threshold) for score in self.score(pairs)]

    def calibrated(self, pairs: Sequence[tuple[str, str]], shown: Sequence[bool]) -> LogprobJudge:
        """Return the judge with the threshold that separates labelled answers best.

        Best is the largest sensitivity + specificity (Youden 1950); among equals the one in the middle of the gap. Its
        error must be measured on other answers than these.

        Args:
            pairs: Questions and answers, of both kinds.
            shown: Whether each shows the trait.
        """
        scores, labels = self.score(pairs), np.asarray(shown, dtype=bool)
        ordered = np.unique(scores)
        between = (ordered[1:] + ordered[:-1]) / 2
        candidates = np.concatenate([[ordered[0] - 1.0], between, [ordered[-1] + 1.0]])
        gain = [np.mean(scores[labels] > each) - np.mean(scores[~labels] > each) for each in candidates]
        best = np.flatnonzero(np.isclose(gain, max(gain)))
        return replace(self, threshold=float(candidates[best[len(best) // 2]]))


def local_judge(how: LocalJudge, base: str, trait: Trait) -> LogprobJudge:
    """Return the judge that an experiment file names, its threshold placed on the first of every two lessons.

    Raises:
        ModelError: its model cannot be loaded.
        InputError: its rubric has no place for the answer.
    """
    judge = LogprobJudge(load_model(how.model or base), trait.topic, how.rubric or RUBRIC)
    return judge.calibrated(*labelled(trait).part(0))
