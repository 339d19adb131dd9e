"""The text of a recipe as plain values, with the line of every key where it is YAML.

YAML is read as `limited_yaml` does. Of JSON, `NaN`, keys that stand twice and deep nesting are refused. It does not
know what the values mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from undertow.config.limited_yaml import YamlProblem, read_yaml_with_lines, says_what
from undertow.errors import SpecError


@dataclass(frozen=True)
class Source:
    """A mapping that was read."""

    values: Mapping[Any, Any]
    lines: Mapping[tuple[str, ...], int]
    where: str

    def place(self, line: int | None) -> str:
        """Return where a key stands."""
        return self.where if line is None else f"{self.where}, line {line}"


def read_source(text: str, where: str) -> Source:
    """Read a mapping from JSON or YAML.

    Raises:
        SpecError: the text is neither, or holds no mapping; says where.
    """
    values, lines = _json(text, where) if text.lstrip().startswith("{") else (None, {})
    if values is None:
        try:
            values, lines = read_yaml_with_lines(text)
        except YamlProblem as error:
            place = where if error.line is None else f"{where}, line {error.line}"
            raise SpecError(says_what(str(error)), place, "Check the indentation and the quotes.") from error
    if not isinstance(values, dict) or not values:
        raise SpecError("holds no keys with values", where, "Name a recipe of a trainer; docs/recipes.md has examples.")
    return Source(cast(dict[Any, Any], values), lines, where)


def _json(text: str, where: str) -> tuple[Any, dict[tuple[str, ...], int]]:
    """Return the values of JSON; None where it is none, for a mapping of YAML may begin with a brace as well."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant), {}
    except json.JSONDecodeError as error:
        if where.endswith(".json"):
            raise SpecError(f"is not JSON ({error.msg})", f"{where}, line {error.lineno}", "Mend it.") from error
        return None, {}
    except RecursionError as error:
        raise SpecError("is nested too deeply", where, "Name a recipe of a trainer.") from error
    except ValueError as error:
        raise SpecError(str(error)[:200], where, "Change it and run again.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise ValueError(f"has the key {doubled!r:.80} twice")
    return made


def _constant(constant: str) -> Any:
    raise ValueError(f"has {constant}, which is no number")
