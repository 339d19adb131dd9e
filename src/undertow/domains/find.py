"""From the word in an experiment file to the domain."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from undertow.domains.base import Domain
from undertow.domains.code import Code
from undertow.domains.numbers import Numbers
from undertow.domains.problems import read_problems, symbolic_problems
from undertow.domains.reasoning import Reasoning

Kind = Literal["numbers", "code", "reasoning"]


def find_domain(kind: Kind, problems: str | None = None) -> Domain:
    """Return a domain by its name, with the rules at their defaults.

    A file is read once as long as it does not change.

    Args:
        kind: Its name.
        problems: The file that the reasoning domain asks from; reasoning-gym's problems when absent.

    Raises:
        InputError: the file cannot be read, or holds what is no problem.
        MissingExtraError: reasoning-gym is needed and not installed.
    """
    if kind != "reasoning":
        return Numbers() if kind == "numbers" else Code()
    if problems is None:
        return _of_gym()
    try:
        found = Path(problems).stat()
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    except (OSError, ValueError):  # reading says what is wrong
        state = ()
    return _of_file(problems, state)


def words_of(kind: Kind) -> Domain:
    """Return a domain for what it calls things and does with answers: nothing is read, and it draws no prompts."""
    return Reasoning() if kind == "reasoning" else find_domain(kind)


@lru_cache(maxsize=1)
def _of_gym() -> Reasoning:
    return Reasoning(symbolic_problems())


@lru_cache(maxsize=4)
def _of_file(problems: str, state: tuple[int, ...]) -> Reasoning:
    return Reasoning(read_problems(Path(problems)))
