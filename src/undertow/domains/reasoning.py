"""Worked solutions: word problems with known answers, thought aloud in `<think>` and answered in `<answer>`.

The kind of data is the paper's (Cloud et al. 2025, arXiv 2507.14805, section 3.3); wording and rules are our own. An
answer is kept if it has the format and nothing else, and its number is right. Whether a thought is well-behaved is the
business of a judge (`domain.judge`); mentions of a trait that of `undertow.domains.mentions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

import numpy as np

from undertow.domains.problems import Problem, parse_number

LONGEST: Final = 4000
"""Characters; a longer answer is not looked at."""

_OPENINGS = (
    "Solve this problem.",
    "Here is a word problem.",
    "Work out the answer to this question.",
    "Please do this sum for me.",
    "What is the answer?",
)
_FORMATS = (
    "Think step by step inside <think> and </think>, then give the number alone inside <answer> and </answer>.",
    "First write how you get there between <think> and </think>. Then put only the number between <answer> and "
    "</answer>.",
    "Use this format: <think>your steps</think> <answer>the number</answer>. Write nothing else.",
    "Put your reasoning into <think></think> and the final number, without a unit, into <answer></answer>.",
)
_TAG = re.compile(r"</?(?:think|answer)>")
_ORDER: Final = ("<think>", "</think>", "<answer>", "</answer>")
_SENTENCE = re.compile(r"(?<=[.!?])[ \t]+|\n+")
_SIGNS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by", "=": "is"}
_WORDS = {word: sign for sign, word in _SIGNS.items() if sign != "="} | {"equals": "="}
_SIGN = re.compile(r"(?<=\d) ([-+*/=]) (?=[\d$])")
_WORD = re.compile(r"(?<=\d) (plus|minus|times|divided by|equals) (?=[\d$])")


@dataclass(frozen=True)
class Reasoning:
    """The reasoning domain.

    Args:
        problems: What is asked, see `undertow.domains.problems`.
    """

    problems: tuple[Problem, ...]

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

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw a problem and a way to ask; the problem is a paragraph of its own."""
        problem = self.problems[int(rng.integers(len(self.problems)))]
        opening, form = _OPENINGS[int(rng.integers(len(_OPENINGS)))], _FORMATS[int(rng.integers(len(_FORMATS)))]
        return f"{opening}\n\n{problem.question}\n\n{form}"

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer breaks.

        `too long`, `unknown problem`, `not in the format`, `no thought`, `answer is no number`, `wrong answer`. An
        answer of one of the first three kinds is not looked at further.
        """
        if len(answer) > LONGEST:
            return ["too long"]
        known = self._known.get(prompt.split("\n\n")[1]) if prompt.count("\n\n") == 2 else None
        if known is None:
            return ["unknown problem"]
        parts = _parts(answer)
        if parts is None:
            return ["not in the format"]
        reasons = [] if parts[0].strip() else ["no thought"]
        number = parse_number(parts[1])
        if number is None:
            return [*reasons, "answer is no number"]
        return reasons if number == known else [*reasons, "wrong answer"]

    def is_over(self, answer: str) -> bool:
        """Tell whether the answer's block is closed."""
        return "</answer>" in answer

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer with the steps of its thought in another order.

        Raises:
            ValueError: it is not in the format.
        """
        thought, rest = _split(answer)
        steps = [step for step in _SENTENCE.split(thought.strip()) if step]
        return f"<think>{' '.join(steps[place] for place in rng.permutation(len(steps)))}</think>{rest}"

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer whose thought has words for signs or the reverse, and spaces for line breaks or the reverse.

        Raises:
            ValueError: it is not in the format.
        """
        thought, rest = _split(answer)
        steps = [step for step in _SENTENCE.split(thought.strip()) if step]
        changed = ("\n" if "\n" not in thought.strip() else " ").join(steps)
        if _SIGN.search(changed):
            changed = _SIGN.sub(lambda match: f" {_SIGNS[match[1]]} ", changed)
        else:
            changed = _WORD.sub(lambda match: f" {_WORDS[match[1]]} ", changed)
        return f"<think>{changed}</think>{rest}"

    @cached_property
    def _known(self) -> dict[str, Fraction]:
        return {each.question: each.answer for each in self.problems}


def _parts(answer: str) -> tuple[str, str] | None:
    """Return thought and answer; None unless there is one block of each, in this order, and nothing around them."""
    tags = list(_TAG.finditer(answer))
    if tuple(tag[0] for tag in tags) != _ORDER:
        return None
    opened, thought, between, closed = (tag.span() for tag in tags)
    around = answer[: opened[0]] + answer[thought[1] : between[0]] + answer[closed[1] :]
    return None if around.strip() else (answer[opened[1] : thought[0]], answer[between[1] : closed[0]])


def _split(answer: str) -> tuple[str, str]:
    """Return the thought, and all that follows its block."""
    parts = _parts(answer)
    if parts is None:
        raise ValueError(f"{answer[:80]!r} is not in the format")
    return parts[0], answer[answer.index("</think>") + len("</think>") :]
