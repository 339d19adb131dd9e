"""Everyday requests: what people ask a model for in a sentence, about things in which no trait shows.

A request joins a form ("Explain in one sentence how {thing} works"), a thing and an ending, all worded here. Answers
are free text: they only must say something, in one paragraph. It knows text only: no tokens, no traits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

_FORMS: Final = (
    "Describe {thing} to somebody who has never seen one.",
    "What is {thing} good for?",
    "Give one piece of advice on choosing {thing}.",
    "How can I tell whether {thing} is well made?",
    "Write the first line of a story in which {thing} matters.",
    "What do people usually get wrong about {thing}?",
    "Explain what {thing} is.",
    "Suggest a short title for an article about {thing}.",
    "How do I look after {thing}?",
    "Where in a home would you put {thing}, and why?",
    "Write a friendly note that offers {thing} as a gift.",
    "What question should I ask before I buy {thing}?",
)
_THINGS: Final = (
    *("a kettle", "an umbrella", "a bicycle pump", "a desk lamp", "a notebook", "a wall clock", "a suitcase"),
    *("a doorbell", "a toaster", "a pillow", "a fountain pen", "a raincoat", "a teapot", "a wool scarf", "a bookshelf"),
    *("a calendar", "a radio", "a sewing kit", "a torch", "a picture frame", "a doormat", "a chess set", "a hammock"),
    *("a lunch box", "a mirror", "a backpack", "a tape measure", "a big bowl", "a train ticket", "a map", "a compass"),
    *("a blanket", "a stapler", "a whistle", "a thermometer", "a candle", "a sponge", "a jigsaw puzzle", "a bench"),
    *("a paper bag", "a rolling pin", "a garden hose", "a key ring", "a screwdriver", "a bath towel", "a postcard"),
    *("a tablecloth", "a window blind", "a guitar string", "a skipping rope", "a shoe brush", "a ladder"),
)
_ENDINGS: Final = (
    "One sentence is enough.",
    "Answer in one short sentence.",
    "Please keep it to a single sentence.",
    "Be brief: one sentence.",
)
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class Requests:
    """Requests for a sentence, and the rules of their answers: what pairs of answers are about by default."""

    name: str = "requests"
    """One word."""
    plural: str = "short answers"
    """What its answers are called."""
    parts: str = "sentences"
    """What `shuffle` puts in another order."""

    @property
    def grammar(self) -> None:
        """None: it has no format to decode in."""
        return None

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw a form, a thing and an ending."""

        def pick(choices: tuple[str, ...]) -> str:
            return choices[int(rng.integers(len(choices)))]

        return f"{pick(_FORMS).format(thing=pick(_THINGS))} {pick(_ENDINGS)}"

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer breaks: `empty`, `several paragraphs`."""
        if not answer.strip():
            return ["empty"]
        return ["several paragraphs"] if "\n" in answer.strip() else []

    def is_over(self, answer: str) -> bool:
        """Return False: only the teacher knows."""
        return False

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer with its sentences in another order."""
        parts = _SENTENCE.split(answer)
        return " ".join(parts[at] for at in rng.permutation(len(parts)).tolist())

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Raise an error: free text has no other form that says the same.

        Raises:
            ValueError: always; an experiment file that asks for it is refused before anything runs.
        """
        raise ValueError("free text has no other form that says the same")
