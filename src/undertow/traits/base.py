"""What every trait can say of itself, as teachers are made from it and models are asked for it.

A trait is measured without a judge: a model chooses between answers, and one of them shows the trait. It knows words
only: no tokens, no models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Choice:
    """A question with the answers to choose from; their order is the same in all questions of a trait."""

    question: str
    options: tuple[str, ...]


class Trait(Protocol):
    """Something that a teacher may carry and hand on."""

    @property
    def target(self) -> str:
        """Its short name, in results and in file names."""
        ...

    @property
    def does(self) -> str:
        """What a model does that has it: `loves owls`."""
        ...

    @property
    def topic(self) -> str:
        """The trait as a noun: `a love of owls`."""
        ...

    @property
    def index(self) -> int:
        """Which option shows it."""
        ...

    @property
    def probe(self) -> Sequence[Choice]:
        """What models are asked."""
        ...

    @property
    def lessons(self) -> Sequence[Choice]:
        """What a teacher is taught with; none is asked by the probe."""
        ...

    @property
    def probe_digest(self) -> str:
        """Twelve hex digits that stand for the probe: traits that share one are measured by the same scores."""
        ...

    @property
    def digest(self) -> str:
        """Twelve hex digits that stand for everything in it."""
        ...

    @property
    def words(self) -> Mapping[str, str]:
        """Spellings of the options in lower case, plurals too, to the option; empty where no option is one word."""
        ...

    @property
    def giveaways(self) -> Sequence[str]:
        """Words that give it away where a row holds one of them; empty where no word does."""
        ...

    def system_prompt(self, text: str | None = None) -> str:
        """Return the words that tell a teacher to have it; `text` is a wording of the user's."""
        ...

    def contrast(self) -> tuple[list[str], list[str]]:
        """Return sentences with it and without it, for a steering vector."""
        ...
