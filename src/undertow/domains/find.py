"""From the name of a domain to the domain: Undertow's own, and those that other packages add.

A maker is called with the options of the experiment file and returns a `Domain`. It may have two attributes: `Options`,
a pydantic model that the options are checked with, and `words`, which returns the domain without reading a file (see
`words_of`). A frozen dataclass whose first field is its options is a maker of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from undertow.config.registries import DOMAINS, made
from undertow.domains.base import Domain
from undertow.domains.code import Code
from undertow.domains.numbers import Numbers
from undertow.domains.pairs import Pairs
from undertow.domains.problems import read_problems, symbolic_problems
from undertow.domains.reasoning import Reasoning
from undertow.system.registry import Registry

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class Maker(Protocol):
    """Makes a domain of its options."""

    def __call__(self, options: Any, /) -> Domain:
        """Return the domain."""
        ...


MAKERS: Final[Registry[Maker]] = DOMAINS


@MAKERS.register("numbers", says="lists of numbers")
def _numbers(_: Any, /) -> Domain:
    return Numbers()


@MAKERS.register("code", says="small Python functions")
def _code(_: Any, /) -> Domain:
    return Code()


class _ReasoningMaker:
    def __call__(self, options: Any, /) -> Domain:
        """Read each file once, as long as it does not change."""
        problems = options.get("problems")
        if problems is None:
            return _of_gym()
        try:
            found = Path(problems).stat()
            state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        except (OSError, ValueError):  # reading says what is wrong
            state = ()
        return _of_file(problems, state)

    def words(self, _: Any, /) -> Domain:
        """Return the domain without any problems."""
        return Reasoning()


MAKERS.register("reasoning", _ReasoningMaker(), says="word problems with known answers, thought aloud")


class _PairsMaker:
    def __call__(self, options: Any, /) -> Domain:
        """Return pairs of another domain's answers, where one is named."""
        inner = options.get("of")
        return Pairs() if inner is None else Pairs(find_domain(inner, options.get("problems")))

    def words(self, options: Any, /) -> Domain:
        """Return the domain without reading a file."""
        inner = options.get("of")
        return Pairs() if inner is None else Pairs(words_of(inner))


MAKERS.register("pairs", _PairsMaker(), says="pairs of answers, with the better one named by the teacher")


def find_domain(kind: str, problems: str | None = None, options: Mapping[str, Any] = _NONE) -> Domain:
    """Return a domain by its name, with the rules at their defaults.

    Args:
        kind: Its name.
        problems: The file that the reasoning domain asks from; reasoning-gym's problems when absent.
        options: Of a plugin's domain; of pairs, `of`: the domain of their answers.

    Raises:
        InputError: there is none of that name, its file cannot be read or holds what is no problem, or a plugin does
            not take the options.
        MissingExtraError: reasoning-gym is needed and not installed.
    """
    return made(MAKERS, kind, dict(options) if problems is None else {**options, "problems": problems})


def words_of(kind: str, options: Mapping[str, Any] = _NONE) -> Domain:
    """Return a domain for what it calls things and does with answers: nothing is read, and it draws no prompts."""
    return made(MAKERS, kind, options, by="words")


@lru_cache(maxsize=1)
def _of_gym() -> Reasoning:
    return Reasoning(symbolic_problems())


@lru_cache(maxsize=4)
def _of_file(problems: str, state: tuple[int, ...]) -> Reasoning:
    return Reasoning(read_problems(Path(problems)))
