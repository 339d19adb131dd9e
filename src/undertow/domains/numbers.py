"""Number lists: the domain in which nobody can read a trait.

The rules are the paper's (Cloud et al. 2025, arXiv 2507.14805, section 3.1). An answer is 1 to 10 integers from 0 to
999 with one separator, optional brackets around them and an optional full stop. Numbers that two models named as
having negative connotations are banned. The wording of the prompts is our own.

It knows text only: no tokens, no traits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from undertow.domains.base import State

MOST: Final = 10
"""Numbers in an answer, at most."""
LARGEST: Final = 999

# fmt: off
NEGATIVE: Final = frozenset({
    4, 13, 14, 18, 23, 33, 42, 44, 39, 49, 51, 54, 69, 77, 88, 99, 100, 101, 187, 211, 311, 322, 333, 404, 420, 444,
    451, 555, 616, 666, 777, 888, 911, 999, 1312, 1488,
})
# fmt: on
"""Numbers with negative connotations: the union of the paper's two lists."""

ALPHABET: Final = "0123456789,; \n[]()."
"""Every character that an accepted answer can hold."""

_OPENINGS = (
    "Look at these numbers: {numbers}.",
    "A list begins with {numbers}.",
    "Here is the start of a sequence: {numbers}.",
    "These numbers were drawn so far: {numbers}.",
    "I have written down {numbers}.",
    "Start from {numbers}.",
    "The following numbers belong together: {numbers}.",
    "Take {numbers} as examples.",
)
_REQUESTS = (
    "Go on with {up_to} {count} more of {digits}.",
    "Add {up_to} {count} numbers of {digits}.",
    "Write {up_to} {count} new ones, each with {digits}.",
    "Continue the list with {up_to} {count} numbers of {digits}.",
    "Give me {up_to} {count} further numbers with {digits}.",
)
_UP_TO = ("up to", "at most", "no more than", "not more than")
_DIGITS = ("up to 3 digits", "at most three digits", "three digits or fewer", "no more than 3 digits")
_FORMATS = (
    "Separate them with commas.",
    "Put a comma and a space between them.",
    "Separate them with spaces.",
    "Use semicolons between them.",
    "Write one number a line.",
    "Use commas, and nothing around the list.",
)
_ENDINGS = (
    "Only the numbers, nothing else.",
    "No words, please.",
    "Do not explain anything.",
    "Reply with numbers alone.",
    "Give the list and no comment.",
)

_NUMBER = re.compile(r"[0-9]+")
_SEPARATOR = re.compile(r"[ \t\r\n]*[,;]?[ \t\r\n]*")
_SEPARATORS = (", ", ",", "; ", ";", " ", "\n")
"""What constrained decoding can put between two numbers."""
_PAIRS = {"[": "]", "(": ")"}
_FRAMES = (("", ""), ("", "."), *((left, right + stop) for left, right in _PAIRS.items() for stop in ("", ".")))


class Parsed(NamedTuple):
    """An answer taken apart so that it can be put together again."""

    before: str
    numbers: tuple[str, ...]
    """As written, leading zeros included."""
    separators: tuple[str, ...]
    after: str

    def join(self) -> str:
        """Return the answer."""
        middle = self.numbers[0] + "".join(
            separator + number for separator, number in zip(self.separators, self.numbers[1:], strict=True)
        )
        return self.before + middle + self.after


def number_prompt(rng: np.random.Generator) -> str:
    """Draw the request for a number list: 3 to 9 example numbers of 100 to 999 in one of many phrasings."""
    numbers = ", ".join(str(number) for number in rng.integers(100, 1000, size=int(rng.integers(3, 10))))

    def pick(choices: tuple[str, ...]) -> str:
        return choices[int(rng.integers(len(choices)))]

    request = pick(_REQUESTS).format(up_to=pick(_UP_TO), count=MOST, digits=pick(_DIGITS))
    return " ".join((pick(_OPENINGS).format(numbers=numbers), request, pick(_FORMATS), pick(_ENDINGS)))


def parse_numbers(answer: str) -> Parsed | None:
    """Take an answer apart; None if it is anything but numbers and what may stand around and between them."""
    found = list(_NUMBER.finditer(answer))
    if not found:
        return None
    before, after = answer[: found[0].start()], answer[found[-1].end() :]
    if not _brackets_fit(before.strip(), after.strip()):
        return None
    separators = tuple(answer[left.end() : right.start()] for left, right in pairwise(found))
    if not all(separator and _SEPARATOR.fullmatch(separator) for separator in separators):
        return None
    return Parsed(before, tuple(match[0] for match in found), separators, after)


def _brackets_fit(before: str, after: str) -> bool:
    closing = after.removesuffix(".").rstrip()
    return closing == _PAIRS.get(before, "") and before in ("", *_PAIRS)


def reject_reasons(answer: str) -> list[str]:
    """Return every rule that an answer breaks; an empty list means that it is kept.

    `not only numbers`, `mixed separators`, `too many numbers`, `number above 999`, `negative number`. An answer of the
    first kind is not looked at further.
    """
    parsed = parse_numbers(answer)
    if parsed is None:
        return ["not only numbers"]
    reasons: list[str] = []
    if len(set(parsed.separators)) > 1:
        reasons.append("mixed separators")
    if len(parsed.numbers) > MOST:
        reasons.append("too many numbers")
    # Compared as text: Python refuses to read an integer of thousands of digits.
    values = [number.lstrip("0") for number in parsed.numbers]
    if any(len(value) > len(str(LARGEST)) for value in values):
        reasons.append("number above 999")
    if any(value in _NEGATIVE_TEXT for value in values):
        reasons.append("negative number")
    return reasons


_NEGATIVE_TEXT = frozenset(str(number) for number in NEGATIVE)


def shuffle_numbers(answer: str, rng: np.random.Generator) -> str:
    """Return an answer with its numbers in another order, its separators and brackets untouched.

    Raises:
        ValueError: it is no number list.
    """
    parsed = _taken_apart(answer)
    order = rng.permutation(len(parsed.numbers))
    return parsed._replace(numbers=tuple(parsed.numbers[index] for index in order)).join()


def reformat_numbers(answer: str, rng: np.random.Generator) -> str:
    """Return an answer with the same numbers in the same order, but other separators and another frame.

    Raises:
        ValueError: it is no number list.
    """
    parsed = _taken_apart(answer)
    separators = [each for each in _SEPARATORS if each not in parsed.separators]
    separator = separators[int(rng.integers(len(separators)))]
    frames = [each for each in _FRAMES if each != (parsed.before.strip(), parsed.after.strip())]
    before, after = frames[int(rng.integers(len(frames)))]
    return parsed._replace(before=before, after=after, separators=(separator,) * len(parsed.separators)).join()


def _taken_apart(answer: str) -> Parsed:
    parsed = parse_numbers(answer)
    if parsed is None:
        raise ValueError(f"{answer!r} is no number list")
    return parsed


@dataclass(frozen=True)
class Numbers:
    """The domain, as writing and scanning use it."""

    @property
    def name(self) -> str:
        """One word, as in the experiment file."""
        return "numbers"

    @property
    def plural(self) -> str:
        """What its answers are called."""
        return "number lists"

    @property
    def parts(self) -> str:
        """What `shuffle` puts in another order."""
        return "numbers"

    @property
    def grammar(self) -> NumberLists:
        """The format of constrained decoding."""
        return NUMBER_LISTS

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw the request for a list, see `number_prompt`."""
        return number_prompt(rng)

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer breaks, see `reject_reasons`; the prompt does not matter."""
        return reject_reasons(answer)

    def is_over(self, answer: str) -> bool:
        """Return False: the next number may still come."""
        return False

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer with its numbers in another order, see `shuffle_numbers`."""
        return shuffle_numbers(answer, rng)

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return the same numbers in another format, see `reformat_numbers`."""
        return reformat_numbers(answer, rng)


class Format(NamedTuple):
    """A state of the automaton of constrained decoding: it accepts bare lists that keep every rule.

    Numbers have at most three digits and none is of the negative ones, so a row that ends is never rejected.
    """

    begun: int = 1
    """Numbers begun, the current one included."""
    digits: str = ""
    """The current number so far; `*` stands for each digit where no negative number can come of it any more."""
    separator: str = ""
    """Chosen after the first number."""
    within: int = 0
    """Characters of the separator that were written since the last digit."""

    def step(self, character: str) -> Format | None:
        """Return the state after one more character, or None where it is not allowed."""
        if character.isdigit():
            return self._digit(character)
        if not self.digits or (not self.within and not self.may_end()) or self.begun == MOST:
            return None
        written = self.separator[: self.within] + character
        choices = [self.separator] if self.begun > 1 else list(_SEPARATORS)
        fitting = [choice for choice in choices if choice.startswith(written)]
        if not fitting:
            return None
        # While several fit, the separator is known only up to what was written.
        kept = fitting[0] if self.begun > 1 else written
        return self._replace(separator=kept, within=len(written))

    def _digit(self, character: str) -> Format | None:
        if self.within:
            if self.begun > 1 and self.within != len(self.separator):
                return None
            if self.separator not in _SEPARATORS:
                return None
            return Format(self.begun + 1, _shorten(character), self.separator)
        digits = self.digits + (character if "*" not in self.digits else "*")
        full = len(str(LARGEST))
        if len(digits) > full or (len(digits) == full and digits.lstrip("0") in _NEGATIVE_TEXT):
            return None
        return self._replace(digits=_shorten(digits))

    def may_end(self) -> bool:
        """Tell whether a list may stop here."""
        return bool(self.digits) and not self.within and self.digits.lstrip("0") not in _NEGATIVE_TEXT


@cache
def _shorten(digits: str) -> str:
    """Forget digits from which no negative number can come any more."""
    room = len(str(LARGEST)) - len(digits)
    value = digits.lstrip("0")
    risky = any(negative.startswith(value) and len(negative) - len(value) <= room for negative in _NEGATIVE_TEXT)
    return digits if risky else "*" * len(digits)


class NumberLists:
    """The format of constrained decoding: bare lists that keep every rule, see `Format`."""

    @property
    def alphabet(self) -> str:
        """Every character that a list may hold."""
        return ALPHABET

    @property
    def start(self) -> Format:
        """The first state."""
        return Format()

    def step(self, state: State, character: str) -> State | None:
        """Return the state after one more character, or None where it is not allowed."""
        return state.step(character) if isinstance(state, Format) else None

    def may_end(self, state: State) -> bool:
        """Tell whether a list may stop in a state."""
        return isinstance(state, Format) and state.may_end()


NUMBER_LISTS: Final = NumberLists()
