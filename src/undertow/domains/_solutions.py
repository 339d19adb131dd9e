"""Worked solutions as text: taking one apart, moving its steps, and saying it in other words.

    <think>3 * 6 = 18.
    18 + 2 = 20.</think>
    <answer>20</answer>

It knows no problems and judges no answer; every function takes time in proportion to the text, whatever the text.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np

TAGS: Final = ("<think>", "</think>", "<answer>", "</answer>")

_TAG = re.compile(r"</?(?:think|answer)>", re.IGNORECASE)
_LINE_END = re.compile(r"(\r?\n)")
_AFTER_SENTENCE = re.compile(r"(?<=[.!?])([ \t]+)")
_NUMBERING = re.compile(r"\s*[0-9]{1,3}\.")
"""`2.` in front of a step; it ends no sentence."""
_ENDS: Final = (".", "!", "?", ":", ",", ";")

_SIGNS: Final = {
    "+": ("plus",),
    "-": ("minus",),
    "−": ("minus",),
    "*": ("times", "multiplied by"),
    "×": ("times", "multiplied by"),
    "/": ("divided by",),
    "÷": ("divided by",),
    "=": ("is", "equals"),
}
_WORDS: Final = {
    "plus": ("+",),
    "minus": ("-",),
    "times": ("*", "×"),
    "multiplied by": ("*", "×"),
    "divided by": ("/", "÷"),
    "is": ("=",),
    "equals": ("=",),
}
_OPERATION = re.compile(
    r"(?<=[0-9)%])(?:"
    r" ?(?P<tight>[+*×÷=]) ?"
    # `3-4` may be a range and `3/4` a fraction, so these signs stand between spaces.
    r"| (?P<loose>[-−/]) "
    r"| (?P<word>plus|minus|times|multiplied by|divided by|equals) "
    # `20 is 5 more than 15` is no equation: after `is` the number must end the sentence or the line.
    r"| (?P<is>is) (?=[-−$€£]?[0-9][0-9,.]*(?:\n|\Z|(?<=[,.]) ))"
    r")(?=[-−$€£(0-9])"
)


class Solution(NamedTuple):
    """An answer taken apart so that it can be put together again."""

    before: str
    thought: str
    between: str
    number: str
    """As written, white space included."""
    after: str

    def join(self) -> str:
        """Return the answer."""
        return "".join(
            (self.before, TAGS[0], self.thought, TAGS[1], self.between, TAGS[2], self.number, TAGS[3], self.after)
        )


def parse_solution(answer: str) -> Solution | None:
    """Take an answer apart; None if it is anything but a thought and a number in their tags."""
    found = list(_TAG.finditer(answer))
    if tuple(match[0] for match in found) != TAGS:
        return None
    ends = [0, *(match.end() for match in found)]
    starts = [*(match.start() for match in found), len(answer)]
    solution = Solution(*(answer[end:start] for end, start in zip(ends, starts, strict=True)))
    outside = solution.before + solution.between + solution.after
    return solution if solution.thought.strip() and not outside.strip() else None


def shuffle_steps(thought: str, rng: np.random.Generator) -> str:
    """Return a thought with its steps in another order: its lines, or the sentences of its only line.

    What lies between two steps keeps its place. A thought of one step is returned as it is.
    """
    pieces = _pieces(thought)
    places = [at for at, piece in enumerate(pieces) if piece.strip()]
    if len(places) < 2:
        return thought
    order = rng.permutation(len(places))
    if (order == np.arange(len(places))).all():
        order = np.roll(order, 1)
    moved = list(pieces)
    for place, index in zip(places, order, strict=True):
        moved[place] = pieces[places[index]]
    return "".join(moved)


def paraphrase_thought(thought: str, rng: np.random.Generator) -> str:
    """Return a thought with the same content: signs of arithmetic as words and the reverse, lines as sentences."""
    return rewrap(respell(thought, rng))


def respell(thought: str, rng: np.random.Generator) -> str:
    """Write `3 * 4 = 12` as `3 times 4 is 12`, and the reverse; where there are several ways, one is drawn."""

    def other(match: re.Match[str]) -> str:
        sign, word = match["tight"] or match["loose"], match["word"] or match["is"]
        choices = _SIGNS[sign] if sign else _WORDS[word]
        return f" {choices[int(rng.integers(len(choices)))]} "

    return _OPERATION.sub(other, thought)


def rewrap(thought: str) -> str:
    """Put lines behind one another as sentences; where there is only one line, put each sentence on its own."""
    steps = [piece.strip() for piece in _pieces(thought) if piece.strip()]
    if "\n" not in thought.strip():
        return "\n".join(steps)
    return " ".join(step if step.endswith(_ENDS) else f"{step}." for step in steps)


def _pieces(thought: str) -> list[str]:
    """Split a thought into steps and the white space between them; joined, they are the thought again."""
    if "\n" in thought.strip():
        return _LINE_END.split(thought)
    first, *rest = _AFTER_SENTENCE.split(thought)
    pieces = [first]
    for between, sentence in zip(rest[::2], rest[1::2], strict=True):
        # A number in front of a step and the step itself move together.
        if _NUMBERING.fullmatch(pieces[-1]):
            pieces[-1] += between + sentence
        else:
            pieces += [between, sentence]
    return pieces
