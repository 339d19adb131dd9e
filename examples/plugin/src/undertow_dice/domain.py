"""The domain: throws of dice, such as `3 6 1`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field


class DiceOptions(BaseModel):
    """What an experiment file may say under `domain.options`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    throws: int = Field(default=5, ge=2, le=50)
    """Numbers in an answer."""


@dataclass(frozen=True)
class DiceFormat:
    """The format as an automaton: a state is the number of characters so far."""

    throws: int
    alphabet: str = "123456 "
    start: int = 0

    def step(self, state: int, character: str) -> int | None:
        """Return the state after a character: a throw and a space take turns."""
        fits = character == " " if state % 2 else character in "123456"
        return state + 1 if fits and state < 2 * self.throws - 1 else None

    def may_end(self, state: int) -> bool:
        """Tell whether all throws are there."""
        return state == 2 * self.throws - 1


@dataclass(frozen=True)
class Dice:
    """Throws of dice."""

    Options: ClassVar = DiceOptions

    options: DiceOptions
    name: str = "dice"
    plural: str = "throws of dice"
    parts: str = "throws"

    @property
    def grammar(self) -> DiceFormat:
        """The format that answers can be held to."""
        return DiceFormat(self.options.throws)

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw a request."""
        begun = " ".join(map(str, rng.integers(1, 7, size=3)))
        return f"I threw {begun}. Throw a die {self.options.throws} more times. Answer with the numbers alone."

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer breaks."""
        if not re.fullmatch(r"[1-6]( [1-6])*", answer):
            return ["no throws of dice"]
        return [] if len(answer.split()) == self.options.throws else ["wrong number of throws"]

    def is_over(self, answer: str) -> bool:
        """Tell whether an answer is complete."""
        return len(answer) >= 2 * self.options.throws - 1

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return the throws in another order."""
        return " ".join(rng.permutation(answer.split()).tolist())

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return the answer itself: nothing else says the same."""
        return answer
