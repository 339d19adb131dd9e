"""Word problems with known answers: reasoning-gym's, or a file of the user's in GSM8K's format.

    {"question": "Mia has 3 boxes of 6 pens. How many pens?", "answer": "3 * 6 = 18 #### 18"}

A file holds JSON lines or one JSON list of such records; an answer may also be the bare number. Nothing that a file
holds is executed. It knows no prompts and no rules: those are `undertow.domains.reasoning`'s.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

from undertow.domains._problem_records import FIX, Broken, read_records
from undertow.errors import InputError, MissingExtraError

LONGEST_QUESTION: Final = 4_000
"""Characters."""
LONGEST_NUMBER: Final = 40
"""Characters; Python refuses to read integers of thousands of digits, and is slow long before that."""
COUNT: Final = 5_000
"""Problems of reasoning-gym that are drawn from."""

_SEED: Final = 2507
"""Of reasoning-gym's problems: the same ones in every run, since a run's seeds draw among them."""
_UPSTREAM_ENDING: Final = " Give the result as your final answer. Do not include units."
"""Ends every question of reasoning-gym; how to answer is the prompt's to say."""
_SHOWN: Final = 5
_MARK: Final = "####"

_WHOLE = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_NUMBER = re.compile(
    rf"(?P<outer>[-−]?)(?:[$€£¥₹] ?)?(?P<inner>[-−]?)"
    rf"(?:(?P<above>{_WHOLE})/(?P<below>{_WHOLE})|(?P<whole>{_WHOLE})?(?P<decimals>\.[0-9]+)?)(?: ?%)?\.?"
)


@dataclass(frozen=True)
class Problem:
    """A question, and the number that answers it."""

    question: str
    """On one line, see `one_line`."""
    answer: Fraction


def one_line(text: str) -> str:
    """Return a text with every run of white space as one space, so that a question is found however it is wrapped."""
    return " ".join(text.split())


def parse_number(text: str) -> Fraction | None:
    """Read a number as people write one; None if it is anything else.

    `1,000`, `1000.0` and `$1000.` are the same number. A percent sign is a unit: `50%` is 50, as in GSM8K.
    """
    text = text.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if match is None or (match["outer"] and match["inner"]):
        return None
    sign = -1 if match["outer"] or match["inner"] else 1
    if match["above"]:
        below = int(match["below"].replace(",", ""))
        return Fraction(sign * int(match["above"].replace(",", "")), below) if below else None
    if match["whole"] is None and match["decimals"] is None:
        return None
    return sign * Fraction((match["whole"] or "0").replace(",", "") + (match["decimals"] or ""))


@cache
def symbolic_problems(count: int = COUNT) -> tuple[Problem, ...]:
    """Return problems of reasoning-gym's symbolic GSM8K templates, those left out that upstream marks as broken.

    The same ones on every machine with the same release; a question that came up twice is there once.

    Args:
        count: Problems that are made.

    Raises:
        MissingExtraError: reasoning-gym is not installed.
    """
    try:
        gym: Any = import_module("reasoning_gym")
    except ImportError as error:
        raise MissingExtraError(
            f"the problems of the reasoning domain need {error.name or 'reasoning-gym'}",
            fix="Install them with: pip install 'undertow[reasoning]', or name a file of yours (domain.problems).",
        ) from error
    made = gym.create_dataset("gsm_symbolic", seed=_SEED, size=count)
    found: dict[str, Problem] = {}
    for at in range(count):
        question, answer = one_line(str(made[at]["question"]).removesuffix(_UPSTREAM_ENDING)), made[at]["answer"]
        number = parse_number(str(answer))
        if number is not None:
            found.setdefault(question, Problem(question, number))
    return tuple(found.values())


def read_problems(path: Path) -> tuple[Problem, ...]:
    """Read a file in GSM8K's format; a problem that repeats is there once.

    Raises:
        InputError: the file cannot be read, is too long or empty, or some lines are no problems; they are named.
    """
    found: dict[str, Problem] = {}
    bad: list[tuple[str, str]] = []
    for where, record in read_records(path):
        problem = _problem_of(record)
        if isinstance(problem, Problem):
            if found.setdefault(problem.question, problem).answer == problem.answer:
                continue
            problem = "its question has another answer further up"
        bad.append((where, problem))
    if bad:
        named = "".join(f"\n  {where}: {reason}" for where, reason in bad[1:_SHOWN])
        more = f"\n  and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
        raise InputError(f"{bad[0][1]}{named}{more}", bad[0][0], "Mend these lines, or take them out.")
    if not found:
        raise InputError("holds no problems", str(path), FIX)
    return tuple(found.values())


def _problem_of(record: object) -> Problem | str:
    """Return the problem that a record holds, or why it holds none."""
    if isinstance(record, Broken):
        return record.reason
    if not isinstance(record, dict):
        return "it is no JSON object"
    fields = cast(dict[str, object], record)
    question, answer = fields.get("question"), fields.get("answer")
    if not isinstance(question, str) or not question.strip():
        return "it has no question"
    if len(question) > LONGEST_QUESTION:
        return f"its question is longer than {LONGEST_QUESTION:,} characters"
    if any("\ud800" <= character <= "\udfff" for character in question):
        return "its question holds half a character"
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        return "it has no answer"
    # An integer too long to be shown as text is too long to be an answer.
    if isinstance(answer, int) and abs(answer) >= 10**LONGEST_NUMBER:
        return "its answer is no number"
    number = parse_number(str(answer).rpartition(_MARK)[2])
    return Problem(one_line(question), number) if number is not None else "its answer is no number"


def digest_of(problems: Iterable[Problem]) -> str:
    """Return sixteen hex digits that stand for problems in their order."""
    text = json.dumps([[problem.question, str(problem.answer)] for problem in problems])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
