"""The part of YAML that a policy may use: plain mappings, lists and values, each key once.

A policy decides what gets through, so nothing in it may say less than it seems to. YAML keeps the last of two equal
keys, so a key that is written twice is refused. Merges, anchors and aliases can expand a small file, and tags make
objects: all are refused. The module does not know what a policy is.

    plain_yaml("traits: []", "policy.yaml")
"""

from __future__ import annotations

from typing import Any, cast

import yaml
from yaml.nodes import MappingNode, Node

from undertow.config.limited_yaml import LimitedLoader, fix_for, says_what
from undertow.errors import InputError

_FIX = "Write plain keys and values; docs/gate.md shows a whole policy."


class _Plain(LimitedLoader):
    """Refuses what a policy does not need, before anything is made of it."""

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()
        for what in ("anchor", "tag"):
            if getattr(event, what, None) is not None:
                noun = "an anchor or alias" if what == "anchor" else f"the tag {getattr(event, what)!r:.80}"
                raise yaml.MarkedYAMLError(problem=f"has {noun}, which is not allowed", problem_mark=event.start_mark)
        node = super().compose_node(parent, index)
        if isinstance(node, MappingNode):
            _no_merges(node)
        return node


def _no_merges(node: MappingNode) -> None:
    for key, _ in cast(list[tuple[Node, Node]], node.value):
        if key.tag == "tag:yaml.org,2002:merge":
            raise yaml.MarkedYAMLError(problem="has <<, which merges another mapping in", problem_mark=key.start_mark)


def plain_yaml(text: str, where: str) -> object:
    """Turn text into plain values.

    Raises:
        InputError: it is no YAML, or of the kind that is refused; the message names the line.
    """
    try:
        return yaml.load(text, _Plain)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}, line {mark.line + 1}" if mark is not None else where
        raise InputError(says_what(str(error.problem)), place, fix_for(str(error.problem), _FIX)) from error
    except RecursionError as error:
        raise InputError("is nested too deeply", where, _FIX) from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        # PyYAML lets what its own conversions raise escape, such as for a date with 99 months.
        raise InputError("is not YAML", where, _FIX) from error
