"""YAML from untrusted files: plain values only, and no more of them than a file for people holds.

A few bytes of YAML can cost much. An alias repeats what it names, so thirty lines can mean a billion values. A number
in base 60 costs time by the square of its length. Deep nesting costs the stack. Here values are counted once for every
use of an alias. An alias inside of what it names is refused, and so are deep nesting and long numbers. Tags that make
objects are none of `SafeLoader`'s.

What people would take otherwise is refused too. A key that is written twice is one: YAML keeps the last.
`0100`, which YAML reads as 64, and `10:00`, which it reads as 600, are others. `1e-3` is a number here, though not in
YAML 1.1. It does not know what a file is for.

    read_yaml("a: [1, 2]")
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MOST_VALUES: Final = 20_000
DEEPEST: Final = 60
LONGEST_TEXT: Final = 1_000_000
"""Characters."""
LONGEST_NUMBER: Final = 40
"""Characters of a number."""

EXPONENT: Final = re.compile(r"^[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$")
"""Numbers that YAML 1.1 takes for text, since they have no point."""


class YamlProblem(ValueError):
    """A text is no YAML of this kind; the message says why in a few words.

    Args:
        what: The reason.
        line: From 1; None where it concerns the whole.
    """

    def __init__(self, what: str, line: int | None = None) -> None:
        super().__init__(what)
        self.line = line


class LimitedLoader(yaml.SafeLoader):
    """Refuses what costs more than its bytes, before anything is made of it."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._count = 0
        self._sizes: dict[int, int] = {}
        """Values of each finished node by its identity, aliases counted as often as they stand."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose a node, counting."""
        event: Any = self.peek_event()
        alias = isinstance(event, yaml.AliasEvent)
        self._depth += 1
        self._count += 1
        if self._depth > DEEPEST:
            raise _refused(f"nested too deeply, beyond {DEEPEST} levels", event)
        if self._count > MOST_VALUES:
            raise _refused(f"more than {MOST_VALUES:,} values", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None or (alias and id(node) in self._sizes):
            return node
        if alias:
            raise _refused("an alias inside of what it names", event)
        size = 1 + sum(self._sizes[id(each)] for each in _inside(node))
        if size > MOST_VALUES:
            raise _refused(f"more than {MOST_VALUES:,} values, aliases counted as often as they stand", event)
        self._sizes[id(node)] = size
        if isinstance(node, MappingNode):
            _each_once(node)
        return node

    def construct_yaml_int(self, node: ScalarNode) -> int:
        """Make a whole number that is not too long, and is the one that stands there."""
        number = super().construct_yaml_int(_short(node))
        digits = str(node.value).lstrip("+-").replace("_", "")
        if ":" in digits or (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()):
            raise _reads_as(node, number)
        return number

    def construct_yaml_float(self, node: ScalarNode) -> float:
        """Make a number that is not too long, and is the one that stands there."""
        number = super().construct_yaml_float(_short(node))
        if ":" in str(node.value):
            raise _reads_as(node, number)
        return number


LimitedLoader.add_constructor("tag:yaml.org,2002:int", LimitedLoader.construct_yaml_int)
LimitedLoader.add_constructor("tag:yaml.org,2002:float", LimitedLoader.construct_yaml_float)
LimitedLoader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))


def read_yaml(text: str) -> Any:
    """Turn text into plain values.

    Raises:
        YamlProblem: it is no YAML, or more than a file for people holds.
    """
    return read_yaml_with_lines(text)[0]


def read_yaml_with_lines(text: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Turn text into plain values, and return the line of each key as well.

    Returns:
        The values; and the line, from 1, of each key of a mapping that stands in nothing but mappings, by all keys
        that lead to it.

    Raises:
        YamlProblem: it is no YAML, or more than a file for people holds.
    """
    if len(text) > LONGEST_TEXT:
        raise YamlProblem(f"longer than {LONGEST_TEXT:,} characters")
    try:
        # The loader itself looks at every character, so a text that is no YAML is refused here already.
        loader = LimitedLoader(text)
        node = loader.get_single_node()
        lines = _lines(node, ())
        return None if node is None else loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlProblem(_line(str(error.problem or error.context)), mark.line + 1 if mark else None) from error
    except RecursionError as error:
        raise YamlProblem("nested too deeply") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        # PyYAML lets what its own conversions raise escape, such as for a date with 99 months.
        raise YamlProblem(_line(str(error) or type(error).__name__)) from error


def _lines(node: Node | None, above: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    if isinstance(node, MappingNode):
        for key, value in cast(list[tuple[Node, Node]], node.value):
            if isinstance(key, ScalarNode):
                path = (*above, str(key.value))
                found[path] = key.start_mark.line + 1
                found |= _lines(value, path)
    return found


def says_what(problem: str) -> str:
    """Return what a message says of a file: that it has something, or that it is no YAML."""
    return problem if problem.startswith("has ") else f"is not YAML ({problem})"


def _each_once(node: MappingNode) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in cast(list[tuple[Node, Node]], node.value):
        if isinstance(key, ScalarNode):
            name = (key.tag, str(key.value))
            if name in seen:
                raise _refused(f"has the key {key.value!r:.80} twice", key)
            seen.add(name)


def _reads_as(node: ScalarNode, number: float) -> yaml.MarkedYAMLError:
    return _refused(f"has {node.value}, which YAML reads as {number}: write {number}, or use quotes for text", node)


def _inside(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [each for pair in cast(list[tuple[Node, Node]], node.value) for each in pair]
    return cast(list[Node], node.value) if isinstance(node, SequenceNode) else []


def _short(node: ScalarNode) -> ScalarNode:
    if len(node.value) > LONGEST_NUMBER:
        raise _refused(f"a number of more than {LONGEST_NUMBER} characters", node)
    return node


def _refused(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def _line(text: str) -> str:
    return text.splitlines()[0][:200] if text else "unknown"
