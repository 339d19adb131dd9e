"""A judge that is a rule: the answer shows the trait if it holds one of some words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from undertow.config.parts import WordRule
from undertow.domains.mentions import Mentions
from undertow.judges.base import Ruling
from undertow.traits.base import Trait


@dataclass(frozen=True)
class WordJudge:
    """Looks for words in whatever way they are written, see `Mentions`."""

    mentions: Mentions

    def rule(self, pairs: Sequence[tuple[str, str]]) -> list[Ruling]:
        """Return whether each answer holds one of the words; the questions do not matter."""
        return [bool(self.mentions.find(answer)) for _, answer in pairs]


def word_judge(how: WordRule, base: str, trait: Trait) -> WordJudge:
    """Return the judge that an experiment file names."""
    return WordJudge(Mentions(how.words))
