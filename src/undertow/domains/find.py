"""From the word in an experiment file to the domain."""

from __future__ import annotations

from typing import Literal

from undertow.domains.base import Domain
from undertow.domains.code import Code
from undertow.domains.numbers import Numbers


def find_domain(kind: Literal["numbers", "code"]) -> Domain:
    """Return a domain by its name, with the rules at their defaults."""
    return Numbers() if kind == "numbers" else Code()
