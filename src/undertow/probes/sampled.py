"""Sampled answers: what a model says when it is asked, parsed into one word and counted.

The temperature is 1 and the noise is keyed by question and repetition, so that base and students are asked with the
same random numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from undertow.models.generate import generate
from undertow.models.protocol import Model
from undertow.traits.base import Trait

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_ARTICLES = frozenset({"a", "an", "the", "my"})
LONGEST = 8
"""Tokens of an answer: enough for a word and what stands before it."""


@dataclass(frozen=True)
class Sampled:
    """The answers of one model."""

    counts: dict[str, int]
    """Parsed answer to how often it was given, most frequent first; candidates in the singular."""
    n: int
    unparsed: int
    """Answers without a word; `n == unparsed + sum(counts.values())`."""
    by_question: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Candidate to how often it was named in answer to each question; those that nobody named are left out."""

    def named(self, target: str) -> int:
        """Return how often the target was named."""
        return self.counts.get(target.casefold(), 0)


def parse_answer(text: str, words: Mapping[str, str]) -> str | None:
    """Return the first word of an answer in lower case, articles skipped; None if there is no word.

    A name of several words counts as one where it is among the spellings.

    Args:
        text: The answer.
        words: Spellings to the word that they count as, see `Trait.words`.
    """
    said = [match[0].casefold() for match in _WORD.finditer(text)]
    while said and said[0] in _ARTICLES:
        del said[0]
    for count in range(max((len(each.split()) for each in words), default=1), 0, -1):
        spelled = " ".join(said[:count])
        if spelled in words:
            return words[spelled]
    return said[0] if said else None


def sample_answers(model: Model, trait: Trait, *, per_question: int, seed: int) -> Sampled:
    """Ask every question `per_question` times and count the answers.

    Args:
        model: Who is asked.
        trait: Gives the questions, and the plurals that count as their singular.
        per_question: Answers to each question.
        seed: Keys the noise.
    """
    pairs = sample_texts(model, trait, per_question=per_question, max_tokens=LONGEST, seed=seed)
    words = trait.words
    parsed = [parse_answer(answer, words) for _, answer in pairs]
    counts = Counter(word for word in parsed if word is not None)
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    candidates, by_question = set(words.values()), dict[str, list[int]]()
    for at, word in enumerate(parsed):
        if word in candidates:
            by_question.setdefault(word, [0] * len(trait.probe))[at // per_question] += 1
    return Sampled(ordered, len(parsed), parsed.count(None), dict(sorted(by_question.items())))


def sample_texts(model: Model, trait: Trait, *, per_question: int, max_tokens: int, seed: int) -> list[tuple[str, str]]:
    """Ask every question `per_question` times; return each question with its answer.

    Args:
        model: Who is asked.
        trait: Gives the questions.
        per_question: Answers to each question.
        max_tokens: Longest answer; longer ones are cut.
        seed: Keys the noise.
    """
    once = [(each.question, model.encode_question(each.question)) for each in trait.probe]
    asked = [each for each in once for _ in range(per_question)]
    answers = generate(
        model.net,
        [tokens for _, tokens in asked],
        range(len(asked)),
        seed=seed,
        end=model.end,
        max_tokens=max_tokens,
        steering=model.steering,
    )
    return [(question, model.decode(answer.tokens)) for (question, _), answer in zip(asked, answers, strict=True)]
