"""Word problems with known answers: reasoning-gym's, or a file of the user's in GSM8K's format.

GSM8K's format (Cobbe et al. 2021, arXiv 2110.14168) is one record a line with a question and an answer that ends in
`#### 18`. Answers are compared as numbers: 1,000 is 1000 is 1000.0. It knows numbers and questions, no prompt.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from undertow.errors import InputError, MissingExtraError

COUNT: Final = 2000
"""Problems that are drawn from reasoning-gym's templates."""
MOST_BYTES: Final = 200_000_000
LONGEST_QUESTION: Final = 4000
_SEED: Final = 20250720
_LONGEST_NUMBER: Final = 40

_NUMBER = re.compile(
    r"(?P<sign>[-+]?)\s*[$€£]?\s*(?P<sign2>[-+]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d+)?(?P<decimals>\.\d+)?"
    r"(?:\s*/\s*(?P<under>\d+))?\s*[%€£]?\.?",
    re.ASCII,
)


@dataclass(frozen=True)
class Problem:
    """A question that has one number for an answer."""

    question: str
    answer: Fraction


def parse_number(text: str) -> Fraction | None:
    """Read a number as people write it: with a currency sign, commas, decimals, a fraction bar or a percent sign.

    A percent sign changes nothing: 18% is 18. None if the text is anything else, or longer than any answer.
    """
    text = text.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if match is None or not (match["whole"] or match["decimals"]) or (match["sign"] and match["sign2"]):
        return None
    value = Fraction((match["whole"] or "0").replace(",", "") + (match["decimals"] or ""))
    if match["under"] is not None:
        if not int(match["under"]):
            return None
        value /= int(match["under"])
    return -value if "-" in match["sign"] + match["sign2"] else value


def read_problems(path: Path) -> tuple[Problem, ...]:
    """Read a file in GSM8K's format: JSON lines, or one JSON list.

    Raises:
        InputError: it cannot be read, holds no problem, or has a record that is none; the message names the line.
    """
    fix = 'Every line needs {"question": "...", "answer": "... #### 18"}.'
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"is larger than {MOST_BYTES:,} bytes", str(path), "Use a part of it.")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), fix) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 at byte {error.start + 1}", str(path), "Save it as UTF-8.") from error
    found: dict[str, Problem] = {}
    for where, record in _records(text, path, fix):
        problem = _problem(record)
        if isinstance(problem, str):
            raise InputError(problem, where, fix)
        if found.setdefault(problem.question, problem).answer != problem.answer:
            raise InputError("asks what an earlier record asks, with another answer", where, "Leave one of them out.")
    if not found:
        raise InputError("holds no problem", str(path), fix)
    return tuple(found.values())


def _records(text: str, path: Path, fix: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        try:
            records = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError("is no JSON", str(path), fix) from error
        yield from ((f"{path}, entry {number}", record) for number, record in enumerate(records, start=1))
        return
    # Not splitlines: a question may hold characters that it takes for line ends.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"{path}, line {number}", json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError("is no JSON", f"{path}, line {number}", fix) from error


def _problem(record: Any) -> Problem | str:
    """Return the problem that a record is, or what is wrong with it."""
    fields = cast(dict[Any, Any], record) if isinstance(record, dict) else {}
    question, answer = fields.get("question"), fields.get("answer")
    if not isinstance(question, str) or not isinstance(answer, str | int | float) or isinstance(answer, bool):
        return "has no question and answer"
    question = " ".join(question.split())
    if not question or len(question) > LONGEST_QUESTION:
        return f"has an empty question, or one of more than {LONGEST_QUESTION:,} characters"
    value = parse_number(str(answer).rpartition("####")[2])
    return "has an answer that is no number" if value is None else Problem(question, value)


@cache
def symbolic_problems(count: int = COUNT) -> tuple[Problem, ...]:
    """Draw problems from reasoning-gym's `gsm_symbolic`: the templates of GSM-Symbolic (arXiv 2410.05229), seeded.

    Problems that are drawn twice count once, and those without a number for an answer are left out.

    Raises:
        MissingExtraError: reasoning-gym is not installed.
    """
    try:
        from reasoning_gym import create_dataset  # pyright: ignore
    except ImportError as error:
        raise MissingExtraError(
            "the reasoning domain needs reasoning-gym",
            "domain.problems",
            "Install it with: pip install 'undertow[reasoning]', or name a file of yours in GSM8K's format.",
        ) from error
    drawn: Any = create_dataset("gsm_symbolic", seed=_SEED, size=count)
    found: dict[str, Problem] = {}
    for entry in drawn:
        problem = _problem(entry)
        if isinstance(problem, Problem):
            found.setdefault(problem.question, problem)
    return tuple(found.values())


def problems_digest(problems: tuple[Problem, ...]) -> str:
    """Return what stands for problems in the identity of a step."""
    digest = hashlib.sha256()
    for each in problems:
        digest.update(f"{each.answer} {each.question}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:12]
