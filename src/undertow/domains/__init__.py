"""What a teacher writes about: prompts, the rules that its answers must keep, and the reasons of rejection.

    numbers.py   number lists: prompts, the paper's strict rules, the automaton of constrained decoding

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow._lazy import lazy

if TYPE_CHECKING:
    from undertow.domains.numbers import Format, number_prompt, parse_numbers, reject_reasons, shuffle_numbers

__all__ = [
    "Format",
    "number_prompt",
    "parse_numbers",
    "reject_reasons",
    "shuffle_numbers",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Format": "numbers",
        "number_prompt": "numbers",
        "parse_numbers": "numbers",
        "reject_reasons": "numbers",
        "shuffle_numbers": "numbers",
    },
)
