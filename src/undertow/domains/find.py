"""From the word in an experiment file to the domain."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from undertow.domains.base import Domain
from undertow.domains.code import Code
from undertow.domains.numbers import Numbers
from undertow.domains.problems import read_problems, symbolic_problems
from undertow.domains.reasoning import Reasoning


@cache
def find_domain(kind: Literal["numbers", "code", "reasoning"], problems: str | None = None) -> Domain:
    """Return a domain by its name, with the rules at their defaults.

    Args:
        kind: The name.
        problems: Of the reasoning domain: a file in GSM8K's format; reasoning-gym's templates when absent.

    Raises:
        InputError: the file cannot be read, or has a record that is no problem.
        MissingExtraError: reasoning-gym is wanted and not installed.
    """
    if kind == "reasoning":
        return Reasoning(read_problems(Path(problems)) if problems is not None else symbolic_problems())
    return Numbers() if kind == "numbers" else Code()
