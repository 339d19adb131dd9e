"""Other names for the local variables of a program: the same program on another surface.

Only names that a function binds and nothing outside it sees are changed, each to the same new name throughout, so that
the program does what it did. Names in keyword arguments, `global` and `nonlocal` statements, patterns and handlers
stay, and so do numbers that Python would write with many digits.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Iterator
from typing import Final

import numpy as np

from undertow.domains._code_rules import LONGEST_NUMBER

_FRESH: Final = tuple("abcdefghjkmnpqrstuvwxyz")
# A parameter called `list` may stand beside a call of the builtin elsewhere.
_LEFT_ALONE: Final = frozenset(dir(builtins))


def renamed(code: str, tree: ast.Module, rng: np.random.Generator) -> str:
    """Return a program as text, its local names replaced by single letters that it does not use, in random order.

    Args:
        code: The program.
        tree: The same, parsed; it is not changed.
        rng: Draws the letters. Where they run out, the remaining names stay.

    Raises:
        ValueError: Python cannot write it, as some f-strings before 3.12.
        RecursionError: it is nested too deeply to be written.
    """
    fixed = set(_fixed(tree))
    local = _bound_in_functions(tree) - fixed - _LEFT_ALONE
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | fixed | local
    free = [letter for letter in _FRESH if letter not in used]
    letters = [free[index] for index in rng.permutation(len(free)).tolist()]
    names = dict(zip(sorted(local), letters, strict=False))
    return ast.unparse(_Renamer(code, names).visit(copy.deepcopy(tree)))


def _bound_in_functions(tree: ast.Module) -> set[str]:
    """Return the names that functions bind, those that begin with two underscores left out."""
    bound: set[str] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.arg):
                    bound.add(node.arg)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    bound.add(node.id)
    return {name for name in bound if not name.startswith("__")}


def _fixed(tree: ast.Module) -> Iterator[str]:
    """Yield the names that something outside a function may see, or that are no plain names in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        if isinstance(node, ast.Module | ast.ClassDef):
            for inner in _outside_functions(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _outside_functions(child)


class _Renamer(ast.NodeTransformer):
    def __init__(self, code: str, names: dict[str, str]) -> None:
        self._code = code
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        self.generic_visit(node)
        node.arg = self._names.get(node.arg, node.arg)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        value = node.value
        if not isinstance(value, int | float | complex) or len(repr(value)) <= LONGEST_NUMBER:
            return node
        # 1e9 would become 1000000000.0; an identifier is written as it stands.
        written = ast.get_source_segment(self._code, node)
        return ast.copy_location(ast.Name(written, ast.Load()), node) if written else node
