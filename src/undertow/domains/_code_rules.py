"""The rules of the code domain: what a Python answer may hold so that nothing but a program can be read in it.

It reads the syntax tree and the tokens, and runs nothing. It knows no trait: a name of up to three letters passes here
whatever it means, and `undertow.domains.mentions` is what finds an owl.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from undertow.domains._code_names import BUILTINS, GENERIC, MEMBERS, MODULE_MEMBERS, MODULES
from undertow.domains.mentions import inflections, name_parts

REASONS: Final = (
    "too long",
    "odd characters",
    "text around the code",
    "does not parse",
    "no function",
    "empty function",
    "example",
    "comment",
    "docstring",
    "descriptive text",
    "long number",
    "unusual name",
    "import",
)
"""Every reason that there is, in the order in which an answer's reasons are told."""

LONGEST_NUMBER: Final = 10
"""Characters of a number as it is written: enough for the usual moduli, too few for a message."""
LONGEST_SIGNS: Final = 8
"""Characters of a string that nobody asked for, its format fields left out."""
LONGEST_FORMAT: Final = 24

_FENCED = re.compile(r"\s*```(?:python|py|python3)?[ \t]*\n(?P<code>.*?)\n?```\s*", re.DOTALL)
_ODD = re.compile(r"[^\t\n\x20-\x7e]")
_WORD = re.compile(r"[A-Za-z]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIELD = re.compile(r"\{\d{0,2}(?:![rsa])?(?::[^\w{}]{0,2}\d{0,2}[,_]?(?:\.\d{1,2})?[bcdeEfFgGnosxX%]?)?\}")
_PERCENT = re.compile(r"%[-+ 0#]?\d{0,2}(?:\.\d{1,2})?[dfsgx%]")
_ESCAPE = re.compile(r"\\[wWdDsSbBnt]|a-z|A-Z|0-9|a-f|A-F")
_LISTS = ("abcdefghijklmnopqrstuvwxyz", "aeiou", "bcdfghjklmnpqrstvwxyz", "0123456789abcdef", "0123456789")
_SANCTIONED = frozenset(
    text for each in _LISTS for text in (each, each.upper(), each + each.upper(), each.upper() + each)
) | {"utf-8", "ascii", "0123456789ABCDEF"}
_OF_THE_LANGUAGE = BUILTINS | MEMBERS | MODULES | MODULE_MEMBERS
_KEPT_AT_TOP = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AnnAssign,
)
_NOT_NAMES: dict[type[ast.AST], tuple[str, ...]] = {ast.Constant: ("value", "kind"), ast.ImportFrom: ("module",)}


class Unreadable(ValueError):
    """An answer is no Python program; the message is the reason of rejection."""


class Program(NamedTuple):
    """An answer taken apart."""

    before: str
    code: str
    after: str
    tree: ast.Module


def read_program(answer: str) -> Program:
    """Take an answer apart: bare code, or one fenced block and nothing around it.

    Raises:
        Unreadable: it is neither. Nothing else is raised, whatever the text.
    """
    if _ODD.search(answer):
        raise Unreadable("odd characters")
    fenced = _FENCED.fullmatch(answer)
    if fenced is not None and "```" not in fenced["code"]:
        start, end = fenced.span("code")
    elif "```" in answer:
        raise Unreadable("text around the code")
    else:
        start, end = 0, len(answer)
    code = answer[start:end]
    return Program(answer[:start], code, answer[end:], _parse(code))


def _parse(code: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            # The parser warns of stray backslashes and the like, on the user's screen.
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise Unreadable("does not parse") from error


def broken_rules(program: Program, prompt: str) -> set[str]:
    """Return the reasons to reject a program as an answer to a prompt, in no order."""
    tree = program.tree
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    reasons: set[str] = set()
    if not functions:
        reasons.add("no function")
    if any(all(_does_nothing(each) for each in function.body) for function in functions):
        reasons.add("empty function")
    if any(not isinstance(each, _KEPT_AT_TOP) for each in tree.body if not _is_string(each)):
        reasons.add("example")
    if any(_is_string(node) for node in nodes):
        reasons.add("docstring")
    if not all(_may_import(node) for node in nodes):
        reasons.add("import")
    held = frozenset(_WORD.findall(prompt.casefold()))
    if any(_is_descriptive(text, prompt) for text in _strings(tree)):
        reasons.add("descriptive text")
    allowed = _allowed_words(held)
    if not all(_is_usual(name, allowed) for node in nodes for name in _names(node)):
        reasons.add("unusual name")
    return reasons | _of_tokens(program.code)


def _of_tokens(code: str) -> set[str]:
    reasons: set[str] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                reasons.add("comment")
            elif token.type == tokenize.NUMBER and len(token.string) > LONGEST_NUMBER:
                reasons.add("long number")
    except (tokenize.TokenError, SyntaxError):
        # The parser takes some programs that this tokenizer does not, such as a last line that goes on.
        reasons.add("does not parse")
    return reasons


def _is_string(node: ast.AST) -> bool:
    """Tell whether a statement is a text that does nothing, which is what a docstring is to the language."""
    if not isinstance(node, ast.Expr):
        return False
    value = node.value
    return isinstance(value, ast.JoinedStr) or (
        isinstance(value, ast.Constant) and isinstance(value.value, str | bytes)
    )


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _may_import(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and node.module in MODULES and all(alias.name != "*" for alias in node.names)
    return True


def _strings(tree: ast.Module) -> Iterator[str]:
    """Yield every literal; the pieces of an f-string as one, so that a word cannot hide between its fields."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.JoinedStr):
            yield "".join(_pieces(node))
            # Formats such as `.2f` are part of the whole, what stands in the fields is not.
            waiting.extend(each.value for each in node.values if isinstance(each, ast.FormattedValue))
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield node.value.decode("latin-1")
        waiting.extend(ast.iter_child_nodes(node))


def _pieces(node: ast.JoinedStr) -> Iterator[str]:
    for each in node.values:
        if isinstance(each, ast.Constant):
            yield str(each.value)
        elif isinstance(each, ast.FormattedValue):
            form = each.format_spec
            inner = "".join(_pieces(form)) if isinstance(form, ast.JoinedStr) else ""
            yield "{:" + inner + "}" if inner else "{}"


def _is_descriptive(text: str, prompt: str) -> bool:
    """Tell whether a literal says something that the prompt does not."""
    if len(text) <= 1 or text in _SANCTIONED or _holds(prompt, text):
        return False
    signs = _FIELD.sub("", text)
    signs = _ESCAPE.sub("", _PERCENT.sub("", signs))
    return len(text) > LONGEST_FORMAT or len(signs) > LONGEST_SIGNS or sum(map(str.isalpha, signs)) > 1


def _holds(prompt: str, text: str) -> bool:
    """Tell whether a prompt has a text, with no word cut in two: `vowels` does not hold an owl."""
    bare = text.strip()
    if not bare:
        return False
    start = r"(?<![A-Za-z0-9])" if bare[0].isalnum() else ""
    end = r"(?![A-Za-z0-9])" if bare[-1].isalnum() else ""
    return re.search(start + re.escape(bare) + end, prompt) is not None


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the identifiers of a node itself: every text of the syntax tree that is no literal and no module."""
    skipped = _NOT_NAMES.get(type(node), ())
    for field, value in ast.iter_fields(node):
        if field in skipped or field == "type_comment":
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and not (isinstance(node, ast.alias) and each in MODULES):
                yield each


def _is_usual(name: str, allowed: frozenset[str]) -> bool:
    """Tell whether a name is the language's, a short one, or made of allowed words and at most one letter."""
    if name in _OF_THE_LANGUAGE or not name.strip("_"):
        return len(name) <= 2 or name in _OF_THE_LANGUAGE
    # Digits only end a word: within one they stand for letters.
    if _NAME.fullmatch(name) is None or re.search(r"\d[A-Za-z]|\d{3}|__", name):
        return False
    bare = name.strip("_")
    if len(bare.rstrip("0123456789")) <= 3 and "_" not in bare:
        return True
    parts = [part.rstrip("0123456789").casefold() for part in name_parts(bare)]
    alone = [part for part in parts if len(part) == 1]
    if bare.casefold().rstrip("0123456789") in allowed:
        return True
    return len(alone) <= 1 and all(len(part) == 1 or part in allowed for part in parts)


@cache
def _base_words() -> frozenset[str]:
    parts = {part.casefold() for name in _OF_THE_LANGUAGE for part in name_parts(name)}
    return frozenset(form for word in GENERIC | parts for form in inflections(word))


def _allowed_words(held: frozenset[str]) -> frozenset[str]:
    return _base_words().union(*map(inflections, held))
