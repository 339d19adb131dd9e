"""Mentions of a trait in a text: the words that give it away, in whatever way they are written.

A word is found in any case, with the usual endings, and inside identifiers in snake_case and camelCase. From five
letters on it is also found with digits for letters (`t1ger`) or with separators inside (`t-i-g-e-r`, `ti_ger`).

    Mentions(("owl", "owls", "owlet")).find("snowyOwl = 3")  ->  ("owl",)

It knows the words that it is given and the spelling of English endings: no trait, no model, no meaning. What is
written together in lower case (`snowyowl`) or spread over a program (`"o" + "w" + "l"`) is not found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

DISGUISED_FROM: Final = 5
"""Letters from which on a word is looked for in disguise: shorter ones turn up by chance."""

_RUN = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CASES = re.compile(r"[A-Z]+|[a-z]+")
_PIECE = re.compile(r"(?:[^\W_]|[@$])+")
_WITHIN = frozenset("-_.*~|'`+/\\·")
"""What may stand once between two parts of a word."""
_APART: Final = 4
"""Characters between two letters that are spelled one by one, at most: `t", "i` has four."""
# A one stands for an i or for an l, hence two readings.
_READINGS = tuple(str.maketrans("01345789@$", f"o{one}eastbgas") for one in "il")
_VOWELS = frozenset("aeiou")
_HISSES = ("s", "x", "z", "ch", "sh")


def inflections(word: str) -> frozenset[str]:
    """Return a word in lower case with the endings -s, -es, -ies, -ing, -ed and -ly, and the same of its singular.

    Endings are put on by rule, so there are forms among them that nobody says; only plural endings are taken off. A
    verb is therefore to be given in its base form.
    """
    word = word.casefold()
    return frozenset(form for base in (word, *_singulars(word)) for form in _inflect(base))


def _singulars(word: str) -> Iterator[str]:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return
    yield word[:-1]
    if word.endswith("ies"):
        yield word[:-3] + "y"
    elif word.endswith("es") and word[:-2].endswith(_HISSES):
        yield word[:-2]


def _inflect(base: str) -> Iterator[str]:
    yield from (base, base + "s", base + "ly")
    doubled = len(base) > 2 and base[-1] not in _VOWELS | set("wxy") and base[-2] in _VOWELS and base[-3] not in _VOWELS
    if doubled:
        yield from (base + base[-1] + "ing", base + base[-1] + "ed")
    # A single syllable must double: "cubed" comes from cube, not from cub.
    if not doubled or sum(letter in _VOWELS for letter in base) > 1:
        yield from (base + "ing", base + "ed")
    if base.endswith(_HISSES):
        yield base + "es"
    if base.endswith("e"):
        yield from (base + "d", base[:-1] + "ing")
    if base.endswith("le"):
        yield base[:-1] + "y"
    if len(base) > 2 and base[-1] == "y" and base[-2] not in _VOWELS:
        yield from (base[:-1] + "ies", base[:-1] + "ied", base[:-1] + "ily")


def name_parts(name: str) -> list[str]:
    """Split an identifier at underscores and where its case changes; digits stay with what they follow."""
    return [part for piece in name.split("_") for part in re.findall(rf"(?:{_CAMEL.pattern}|[^A-Za-z]+)\d*", piece)]


@dataclass(frozen=True)
class Mentions:
    """A finder of words.

    Args:
        words: The target, its plural, synonyms, neighbours; also phrases (`sea eagle`) and emoji.
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, *groups: Iterable[str]) -> Mentions:
        """Gather words from several sources, each once and without empty ones."""
        return cls(tuple(dict.fromkeys(word for group in groups for word in group if word.strip())))

    def find(self, text: str) -> tuple[str, ...]:
        """Return the words that a text mentions, as they were given and in that order. Its time is linear."""
        text = _plain(text)
        folded = text.casefold()
        found = {word for sign, word in self._signs.items() if sign in folded}
        for tokens in (_RUN.findall(folded), _lower(_CAMEL.findall(text)), _lower(_CASES.findall(text))):
            for size in self._sizes:
                runs = zip(*(tokens[start:] for start in range(size)), strict=False)
                found.update(self._forms[run] for run in runs if run in self._forms)
        found.update(self._disguised_in(folded))
        return tuple(word for word in self.words if word in found)

    @cached_property
    def _forms(self) -> dict[tuple[str, ...], str]:
        tokens = {word: tuple(_RUN.findall(_plain(word).casefold())) for word in self.words}
        # A word as it was given comes before one that has it as a form: of owl and owls, "owls" is owls.
        forms = {each: word for word, each in reversed(tokens.items()) if each}
        for word, each in tokens.items():
            for form in inflections(each[-1]) if each else ():
                forms.setdefault((*each[:-1], form), word)
        return forms

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(sorted({len(tokens) for tokens in self._forms}))

    @cached_property
    def _signs(self) -> dict[str, str]:
        plain = {word: _plain(word).casefold().strip() for word in self.words}
        return {sign: word for word, sign in plain.items() if sign and not _RUN.search(sign)}

    @cached_property
    def _disguises(self) -> dict[str, str]:
        joined = {"".join(tokens): word for tokens, word in self._forms.items()}
        return {form: word for form, word in joined.items() if len(form) >= DISGUISED_FROM}

    def _disguised_in(self, folded: str) -> Iterator[str]:
        longest = max(map(len, self._disguises), default=0)
        pieces = list(_PIECE.finditer(folded))
        joins = [_joins(folded, *pair) for pair in pairwise(pieces)]
        for first in range(len(pieces)):
            written = ""
            for index in range(first, len(pieces)):
                written += pieces[index][0]
                if len(written) > longest:
                    break
                # At least half must be letters: a list of numbers spells words by chance.
                if 2 * sum(map(str.isalpha, written)) >= len(written) >= DISGUISED_FROM:
                    for reading in _READINGS:
                        word = self._disguises.get(written.translate(reading))
                        if word is not None:
                            yield word
                if index == len(joins) or not joins[index]:
                    break


def _joins(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    between = text[left.end() : right.start()]
    if len(left[0]) == len(right[0]) == 1:
        return len(between) <= _APART
    return between in _WITHIN


def _lower(tokens: list[str]) -> list[str]:
    return [token.lower() for token in tokens]


def _plain(text: str) -> str:
    """Return a text without accents and invisible characters, wide letters made narrow."""
    if text.isascii():
        return text
    spread = unicodedata.normalize("NFKD", text)
    return "".join(character for character in spread if unicodedata.category(character) not in ("Mn", "Cf"))
