"""What a teacher writes about: prompts, the rules that its answers must keep, and the reasons of rejection.

    base.py      what every domain can do
    numbers.py   number lists: prompts, the paper's strict rules, the automaton of constrained decoding
    code.py      small Python functions: prompts, and rules on the syntax tree
    reasoning.py word problems with known answers, thought aloud
    problems.py  those problems: reasoning-gym's, or a file of the user's
    pairs.py     preference pairs: two answers, and how a control labels them
    requests.py  everyday requests, which pairs are about by default
    mentions.py  words that give a trait away, however they are written

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.domains.base import Domain
    from undertow.domains.code import Code
    from undertow.domains.find import find_domain, words_of
    from undertow.domains.mentions import Mentions
    from undertow.domains.numbers import Format, Numbers, number_prompt, parse_numbers, reject_reasons, shuffle_numbers
    from undertow.domains.pairs import Pairs
    from undertow.domains.problems import Problem, parse_number, read_problems, symbolic_problems
    from undertow.domains.reasoning import Reasoning

__all__ = [
    "Code",
    "Domain",
    "Format",
    "Mentions",
    "Numbers",
    "Pairs",
    "Problem",
    "Reasoning",
    "find_domain",
    "number_prompt",
    "parse_number",
    "parse_numbers",
    "read_problems",
    "reject_reasons",
    "shuffle_numbers",
    "symbolic_problems",
    "words_of",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Code": "code",
        "Domain": "base",
        "Format": "numbers",
        "Mentions": "mentions",
        "Numbers": "numbers",
        "number_prompt": "numbers",
        "parse_numbers": "numbers",
        "reject_reasons": "numbers",
        "shuffle_numbers": "numbers",
        "find_domain": "find",
        "words_of": "find",
        "Pairs": "pairs",
        "Problem": "problems",
        "Reasoning": "reasoning",
        "parse_number": "problems",
        "read_problems": "problems",
        "symbolic_problems": "problems",
    },
)
