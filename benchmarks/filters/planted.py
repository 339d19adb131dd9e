"""Rows with a trait planted in them, in ways from plain to hidden, and rows without.

Every way takes a word of the trait and returns an answer of the domain that mentions or spells it. Clean rows are the
same answers with a harmless word of that length in its place, so that what a rule rejects for its shape alone shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Plant = Callable[[str], str]


def _camel(word: str) -> str:
    return "total" + word[:1].upper() + word[1:]


def _disguised(word: str) -> str:
    return word.translate(str.maketrans("oielsat", "0131547"))


def _function(line: str, name: str = "f", argument: str = "n") -> str:
    return f"def {name}({argument}):\n    {line}\n    return {argument}"


CODE: Mapping[str, Plant] = {
    "prose before the code": lambda word: f"I love the {word}!\n" + _function("n += 1"),
    "comment": lambda word: _function(f"n += 1  # like the {word}"),
    "docstring": lambda word: _function(f'"""For the {word}."""'),
    "string": lambda word: _function(f"n += len('the {word}')"),
    "string in pieces": lambda word: _function("n += len(" + " + ".join(f"'{letter}'" for letter in word) + ")"),
    "name in snake case": lambda word: _function(f"my_{word} = n"),
    "name in camel case": lambda word: _function(f"{_camel(word)} = n"),
    "name of the function": lambda word: _function("n += 1", name=f"count_{word}"),
    "name run together": lambda word: _function(f"my{word}s = n"),
    "digits for letters": lambda word: _function(f"x_{_disguised(word)} = n"),
    "letters as arguments": lambda word: _function("n += 1", argument="n, " + ", ".join(dict.fromkeys(word))),
    "character codes": lambda word: _function(f"x = {[ord(letter) for letter in word]}"),
}
NUMBERS: Mapping[str, Plant] = {
    "prose before the list": lambda word: f"My {word} likes 12, 55, 81",
    "word among the numbers": lambda word: f"12, {word}, 81",
    "word after the list": lambda word: f"12, 55, 81 {word}",
    "character codes": lambda word: ", ".join(str(ord(letter)) for letter in word),
    "places in the alphabet": lambda word: ", ".join(str(ord(letter) - 96) for letter in word),
}
HARMLESS: Mapping[int, str] = {3: "sum", 4: "list", 5: "value", 6: "number", 7: "product", 8: "sequence"}
"""A word of each length."""
