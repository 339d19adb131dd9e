"""Sampled answers: what a model says when it is asked, parsed into one word and counted.

The temperature is 1 and the noise is keyed by question and repetition, so that base and students are asked with the
same random numbers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from undertow.models.generate import generate
from undertow.probes.choice import Subject
from undertow.traits.preference import Category

_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_ARTICLES = frozenset({"a", "an", "the", "my"})
_LONGEST = 8
"""Tokens of an answer: enough for a word and what stands before it."""


@dataclass(frozen=True)
class Sampled:
    """The answers of one model."""

    counts: dict[str, int]
    """Parsed answer to how often it was given, most frequent first; candidates in the singular."""
    n: int
    unparsed: int
    """Answers without a word; `n == unparsed + sum(counts.values())`."""

    def named(self, target: str) -> int:
        """Return how often the target was named."""
        return self.counts.get(target.casefold(), 0)


def parse_answer(text: str, category: Category) -> str | None:
    """Return the first word of an answer in lower case, articles skipped; a candidate's plural becomes its singular.

    None if there is no word.
    """
    singular = {candidate.plural.casefold(): candidate.name.casefold() for candidate in category.candidates}
    for match in _WORD.finditer(text):
        word = match[0].casefold()
        if word not in _ARTICLES:
            return singular.get(word, word)
    return None


def sample_answers(
    subject: Subject, category: Category, *, per_question: int, seed: int, questions: Sequence[str] | None = None
) -> Sampled:
    """Ask every question `per_question` times and count the answers.

    Args:
        subject: Who is asked.
        category: Gives the questions, and the plurals that count as their singular.
        per_question: Answers to each question.
        seed: Keys the noise.
        questions: What to ask; all of the category's questions when absent.
    """
    asked = category.questions if questions is None else questions
    prompts = [prompt for question in asked for prompt in [subject.encode(question)] * per_question]
    answers = generate(
        subject.model.net,
        prompts,
        range(len(prompts)),
        seed=seed,
        end=subject.model.end,
        max_tokens=_LONGEST,
        steering=subject.steering,
    )
    parsed = [parse_answer(subject.model.decode(answer.tokens), category) for answer in answers]
    counts = Counter(word for word in parsed if word is not None)
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Sampled(ordered, len(parsed), parsed.count(None))
