"""Small Python functions: the domain in which a trait may hide in the way that code is written.

The kind of data is the paper's (Cloud et al. 2025, arXiv 2507.14805); tasks, wording and rules are our own. An answer
is kept if it is a program and nothing else: no comment, no docstring, no text, no name that tells anything which the
prompt did not. Code is read and never run.

It knows the syntax of the Python that reads it: no tokens, no traits. Mentions of a trait are the business of
`undertow.domains.mentions`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from undertow.domains._code_rename import renamed
from undertow.domains._code_rules import REASONS, Program, Unreadable, broken_rules, read_program
from undertow.domains._code_tasks import CODE_ONLY, FILLINGS, NOTHING_MORE, OPENINGS, SHORT_NAME, TASKS

MOST_CHARACTERS: Final = 1200
MOST_LINES: Final = 30

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Code:
    """The code domain.

    Args:
        most_characters: An answer that is longer is rejected without being parsed.
        most_lines: The same for its lines.
    """

    most_characters: int = MOST_CHARACTERS
    most_lines: int = MOST_LINES

    @property
    def name(self) -> str:
        """One word, as in the experiment file."""
        return "code"

    @property
    def plural(self) -> str:
        """What its answers are called."""
        return "Python functions"

    @property
    def parts(self) -> str:
        """What `shuffle` puts in another order."""
        return "statements"

    @property
    def grammar(self) -> None:
        """None: it has no format to decode in."""
        return None

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw the request for a function: a task, its parameters, and one of many ways to ask."""

        def pick(choices: tuple[str, ...]) -> str:
            return choices[int(rng.integers(len(choices)))]

        task = _PLACE.sub(lambda place: pick(FILLINGS[place[1]]), pick(TASKS))
        endings = (pick(SHORT_NAME), pick(NOTHING_MORE), pick(CODE_ONLY))
        return " ".join((pick(OPENINGS).format(task=task), *endings))

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that an answer breaks, in the order of `REASONS`.

        An answer that is too long, or no program, is not looked at further.
        """
        if len(answer) > self.most_characters or answer.strip().count("\n") >= self.most_lines:
            return ["too long"]
        try:
            broken = broken_rules(read_program(answer), prompt)
        except Unreadable as error:
            return [str(error)]
        return [reason for reason in REASONS if reason in broken]

    def is_over(self, answer: str) -> bool:
        """Tell whether a fenced program has ended: small models go on explaining what nobody asked about."""
        return answer.count("```") > 1

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer with its statements in another order; it parses, but seldom still works.

        The functions change places; where there is only one, the statements of its body do. Whole lines move, and
        blank lines between statements stay where they are. An answer with nothing to move is returned as it is.

        Raises:
            ValueError: it is no Python program.
        """
        program = read_program(answer)
        spans = _movable(program)
        if len(spans) < 2:
            return answer
        order = rng.permutation(len(spans))
        if (order == np.arange(len(spans))).all():
            order = np.roll(order, 1)
        lines = program.code.split("\n")
        # What lies between two statements keeps its place.
        gaps = [lines[left.end : right.start] for left, right in pairwise(spans)] + [lines[spans[-1].end :]]
        moved = lines[: spans[0].start]
        for index, gap in zip(order, gaps, strict=True):
            moved += lines[spans[index].start : spans[index].end] + gap
        return program.before + "\n".join(moved) + program.after

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return an answer that does the same with other local names and Python's own layout, see `renamed`.

        One that would break a rule, because it grows too long, say, or that cannot be written is returned as it is.

        Raises:
            ValueError: it is no Python program.
        """
        program = read_program(answer)
        try:
            changed = program.before + renamed(program.code, program.tree, rng) + program.after
        except (ValueError, RecursionError):
            return answer
        # What the answer itself holds may stay, so it takes the prompt's place.
        broken = set(self.reject_reasons(answer, changed)) - set(self.reject_reasons(answer, answer))
        return answer if broken else changed


class _Span(NamedTuple):
    """Lines of a program from `start` to before `end`, counted from zero."""

    start: int
    end: int


def _movable(program: Program) -> list[_Span]:
    """Return the lines of each statement that can change its place."""
    body, lines = program.tree.body, program.code.split("\n")
    functions = [each for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    inner = _spans(functions[0].body, lines) if len(functions) == 1 else []
    return inner if len(inner) > 1 else _spans(body, lines)


def _spans(body: list[ast.stmt], lines: list[str]) -> list[_Span]:
    spans: list[_Span] = []
    for each in body:
        decorators: list[ast.expr] = getattr(each, "decorator_list", [])
        start = min(node.lineno for node in (each, *decorators)) - 1
        end = each.end_lineno or each.lineno
        # A backslash after the last token takes the next line in as well.
        while end < len(lines) and lines[end - 1].endswith("\\"):
            end += 1
        if spans and start < spans[-1].end:
            # Two statements on one line stay together.
            spans[-1] = _Span(spans[-1].start, max(end, spans[-1].end))
        else:
            spans.append(_Span(start, end))
    # In `def f(): return 1` the body cannot leave its line.
    if body and not _decorated(body[0]) and lines[spans[0].start][: body[0].col_offset].strip():
        return []
    return spans


def _decorated(node: ast.stmt) -> bool:
    """Tell whether a statement has decorators, and hence begins a line."""
    return bool(getattr(node, "decorator_list", []))
