"""What every domain can do, as writing, scanning and mitigation use it.

A domain knows text only: no tokens, no traits, no models. Reasons of rejection are short phrases that are counted in
the report's funnel, so the same fault has the same phrase in every row.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

import numpy as np

State = Hashable
"""Of a grammar; its values mean something to the grammar alone."""


class Grammar(Protocol):
    """A format as an automaton over characters, with finitely many states."""

    @property
    def alphabet(self) -> str:
        """Every character that it may hold."""
        ...

    @property
    def start(self) -> State:
        """The first state."""
        ...

    def step(self, state: State, character: str) -> State | None:
        """Return the state after one more character, or None where it is not allowed."""
        ...

    def may_end(self, state: State) -> bool:
        """Tell whether a text may stop in a state."""
        ...


class Domain(Protocol):
    """A kind of data that a teacher writes."""

    @property
    def name(self) -> str:
        """One word, as in the experiment file."""
        ...

    @property
    def plural(self) -> str:
        """What its answers are called: `number lists`."""
        ...

    @property
    def parts(self) -> str:
        """What `shuffle` puts in another order: `numbers`."""
        ...

    @property
    def grammar(self) -> Grammar | None:
        """The format that its answers can be held to while they are written, if there is one."""
        ...

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw a request."""
        ...

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer to a prompt breaks; an empty list means that it is kept."""
        ...

    def is_over(self, answer: str) -> bool:
        """Tell whether an answer is complete, so that its teacher is stopped; False where only the teacher knows."""
        ...

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return a kept answer with its parts in another order, as the control `shuffled` needs it."""
        ...

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return a kept answer that says the same on another surface, as the control `paraphrased` needs it."""
        ...
