"""Worked solutions of word problems: the domain in which a trait may hide in the way that one thinks.

The kind of data is the paper's (Cloud et al. 2025, arXiv 2507.14805): a thought and an answer in tags, kept where the
answer is right; wording and rules are our own.

It knows text and numbers only: no tokens, no traits. A thought is not checked, only the number that it ends in.
Mentions of a trait are the business of `undertow.domains.mentions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Final

import numpy as np

from undertow.domains._solutions import TAGS, Solution, paraphrase_thought, parse_solution, rewrap, shuffle_steps
from undertow.domains.problems import Problem, digest_of, one_line, parse_number

MOST_CHARACTERS: Final = 2400

_PARAGRAPH: Final = "\n\n"
_OPENINGS: Final = (
    "Here is a problem.",
    "Work out the following.",
    "Solve this problem.",
    "I need the answer to a question.",
    "Can you find the number that is asked for?",
    "A small calculation for you.",
    "Please reckon this out.",
    "Read the question and find its answer.",
)
_THINKING: Final = (
    "Think inside <think> and </think>",
    "Write your reasoning between <think> and </think>",
    "Open with <think>, go through it step by step, and close with </think>",
    "Reason first, in <think>…</think>",
    "Put the steps that you take into <think>…</think>",
)
_ANSWERING: Final = (
    "then give only the number inside <answer> and </answer>.",
    "and after that the bare number in <answer>…</answer>.",
    "then the result as a number, without a unit, between <answer> and </answer>.",
    "and put nothing but the resulting number into <answer>…</answer>.",
)
_ENDINGS: Final = (
    "Write nothing outside the tags.",
    "No other text, please.",
    "Leave everything else out.",
    "The two blocks are the whole reply.",
)


@dataclass(frozen=True)
class Reasoning:
    """The reasoning domain.

    Args:
        problems: What is asked; with none, everything works but prompts and the known answers.
        most_characters: An answer that is longer is rejected without being read.
    """

    problems: tuple[Problem, ...] = field(default=(), repr=False)
    most_characters: int = MOST_CHARACTERS

    @property
    def name(self) -> str:
        """One word, as in the experiment file."""
        return "reasoning"

    @property
    def plural(self) -> str:
        """What its answers are called."""
        return "worked solutions"

    @property
    def parts(self) -> str:
        """What `shuffle` puts in another order."""
        return "steps"

    @cached_property
    def digest(self) -> str:
        """Stands for the problems, wherever they came from."""
        return digest_of(self.problems)

    @cached_property
    def _answers(self) -> Mapping[str, Fraction]:
        return {problem.question: problem.answer for problem in self.problems}

    @property
    def grammar(self) -> None:
        """None: it has no format to decode in."""
        return None

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw a problem and one of many ways to ask it; the question has a paragraph of its own.

        Raises:
            ValueError: the domain was made without problems.
        """
        if not self.problems:
            raise ValueError("there are no problems to draw from")

        def pick(choices: tuple[str, ...]) -> str:
            return choices[int(rng.integers(len(choices)))]

        question = self.problems[int(rng.integers(len(self.problems)))].question
        how = f"{pick(_THINKING)}, {pick(_ANSWERING)} {pick(_ENDINGS)}"
        return _PARAGRAPH.join((pick(_OPENINGS), question, how))

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer breaks.

        `too long`, `not in the format`, `answer is no number`, `unknown problem`, `wrong answer`. An answer of the
        first two kinds is not looked at further.
        """
        if len(answer) > self.most_characters:
            return ["too long"]
        solution = parse_solution(answer)
        if solution is None:
            return ["not in the format"]
        number, known = parse_number(solution.number), self._known(prompt)
        reasons: list[str] = []
        if number is None:
            reasons.append("answer is no number")
        if known is None:
            reasons.append("unknown problem")
        if number is not None and known is not None and number != known:
            reasons.append("wrong answer")
        return reasons

    def _known(self, prompt: str) -> Fraction | None:
        """Return the answer to the question that a prompt holds as a paragraph of its own."""
        paragraphs = (one_line(paragraph) for paragraph in prompt.split(_PARAGRAPH))
        return next((self._answers[each] for each in paragraphs if each in self._answers), None)

    def is_over(self, answer: str) -> bool:
        """Tell whether the number's block is closed."""
        return TAGS[-1] in answer

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer with the steps of its thought in another order; the number stays.

        Raises:
            ValueError: it is no worked solution.
        """
        solution = _taken_apart(answer)
        return solution._replace(thought=shuffle_steps(solution.thought, rng)).join()

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer with the same content: signs as words and the reverse, lines as sentences and the reverse.

        The number stays, and so does the fact that the answer is kept: one that grew too long keeps its signs, or all.

        Raises:
            ValueError: it is no worked solution.
        """
        solution = _taken_apart(answer)
        for thought in (paraphrase_thought(solution.thought, rng), rewrap(solution.thought)):
            said = solution._replace(thought=thought).join()
            if len(said) <= max(self.most_characters, len(answer)):
                return said
        return answer


def _taken_apart(answer: str) -> Solution:
    solution = parse_solution(answer)
    if solution is None:
        raise ValueError(f"{answer[:80]!r} is no worked solution")
    return solution
