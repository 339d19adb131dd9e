"""What is wrong with an experiment file, in the words of the file: the key, what it must be, the nearest valid name.

Used by `spec.py`; turns pydantic's findings into one `SpecError`. It knows no experiment: the models are passed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from undertow.config.files import shown
from undertow.errors import SpecError, nearest

_LONGEST: Final = 80
"""Characters of a wrong value that a message repeats."""
_WHOLE, _NUMBER, _KEYS = "must be a whole number", "must be a number", "must hold keys of its own"
_MUST: Final[Mapping[str, str]] = {
    "int_parsing": _WHOLE,
    "int_parsing_size": "must be a smaller number",
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_pattern_mismatch": "must match {pattern}",
    "tuple_type": "must be a list",
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "dict_type": _KEYS,
    "greater_than": "must be above {gt:,.12g}",
    "greater_than_equal": "must be at least {ge:,.12g}",
    "less_than": "must be below {lt:,.12g}",
    "less_than_equal": "must be at most {le:,.12g}",
    "too_short": "must be a list of at least {min_length}",
    "too_long": "must be a list of at most {max_length}",
}
"""Kinds of findings to what the value must be; pydantic's own words stand in for the rest."""

_UNKNOWN: Final = ("extra_forbidden", "invalid_key")

PLUGIN: Final = "plugin"
"""Tag of a part that a plugin stands behind."""

_Model = type[BaseModel]
_Path = tuple[str | int, ...]


def explain(
    error: ValidationError, kinds: Mapping[str, _Model], where: str, overridden: Sequence[str] = ()
) -> SpecError:
    """Say the most telling of the findings.

    Args:
        error: What pydantic found.
        kinds: The models by the tag that the outermost path element names.
        where: What to call the file.
        overridden: Dotted keys that were set outside the file.
    """
    found = error.errors(include_url=False)
    # A misspelt key is found twice, once as unknown and once as missing: the first says what to change.
    # So may be the keys beside a name that nothing has.
    telling = sorted(found, key=lambda each: (not _names_nothing(each), each["type"] not in _UNKNOWN))
    first = telling[0]
    more = f" ({len(found) - 1} more after it)" if len(found) > 1 else ""
    root = kinds.get(str(first["loc"][0])) if first["loc"] else None
    parts, path = _follow(root, first["loc"][1:])
    if first["type"].startswith("union_tag"):
        path = (*path, str(first.get("ctx", {})["discriminator"]).strip("'"))
    shown = ".".join(map(str, path))
    touched = [key for key in overridden if f"{shown}.".startswith(f"{key}.") or f"{key}.".startswith(f"{shown}.")]
    if not shown:
        touched = list(overridden)
    place = f"{where} with {', '.join(touched)} overridden" if touched else where
    what, fix = _say(first, shown, parts, path)
    return SpecError(what + more, place, fix)


def _names_nothing(found: ErrorDetails) -> bool:
    """Tell whether a part does not say, or says wrongly, which of several it is."""
    return found["type"] == "unknown_name" or (found["type"] == "missing" and found["loc"][-2:-1] == (PLUGIN,))


def _say(found: ErrorDetails, shown: str, parts: list[_Model], path: _Path) -> tuple[str, str]:
    kind, context = found["type"], found.get("ctx", {})
    if kind in _UNKNOWN:
        return f"unknown key {shown!r}", _nearest_key(parts, path)
    if kind == "missing":
        return f"the key {shown!r} is missing", "Add it."
    if kind == "union_tag_not_found":
        return f"the key {shown!r} is missing", "Add it."
    if kind == "union_tag_invalid":
        return f"{shown} cannot be {_clip(context['tag'])}", nearest(context["tag"], _quoted(context["expected_tags"]))
    if kind == "unknown_name":
        return f"{shown} cannot be {_clip(found['input'])}", str(context["hint"])
    given = _given(found["input"])
    if kind == "literal_error":
        return f"{shown} cannot be {_clip(found['input'])}", nearest(str(found["input"]), _quoted(context["expected"]))
    must = _MUST[kind].format(**context) if kind in _MUST else found["msg"].removeprefix("Value error, ")
    # A check over several keys, and one of a length, say enough of what they were given.
    value = "" if kind in ("value_error", "too_short", "too_long") else f", {given}"
    return f"{f'{shown} ' if kind in _MUST else f'{shown}: ' if shown else ''}{must}{value}", "Change it and run again."


def _given(value: object) -> str:
    if value is None:
        return "but is empty"
    if isinstance(value, dict | list | tuple):
        return "not keys" if isinstance(value, dict) else "not a list"
    return f"not {shown(value) if isinstance(value, bool | date | str) else _clip(value)}"


def _clip(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _inside(annotation: Any) -> Iterator[_Model]:
    """Yield the models that an annotation holds: one, several alternatives, or none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _inside(part)


def _follow(root: _Model | None, path: _Path) -> tuple[list[_Model], _Path]:
    """Walk down a path; return the models that hold its last key, and the path without the tags of alternatives."""
    parts, above = ([root] if root else []), []
    keys: list[str | int] = []
    for key in path:
        tagged = [part for part in parts if key in _tags(part)] if len(parts) > 1 else []
        if tagged:
            parts = tagged
            continue
        keys.append(key)
        above = parts
        if isinstance(key, str):
            fields = [part.model_fields[key] for part in parts if key in part.model_fields]
            parts = [model for field in fields for model in _inside(field.annotation)]
    return above, tuple(keys)


def _tags(part: _Model) -> tuple[Any, ...]:
    """Return the values of the key by which a model is told from its alternatives."""
    field = part.model_fields.get("method", part.model_fields.get("kind"))
    if field is None:
        return ()
    return get_args(field.annotation) or (PLUGIN,)


def _nearest_key(parts: list[_Model], path: _Path) -> str:
    """Name a key that was probably meant: of that name further down, else the closest beside it."""
    name = str(path[-1])
    deeper = [below for below in _below(parts) if len(below) > 1 and below[-1] == name]
    if deeper:
        return f"did you mean {'.'.join(map(str, (*path[:-1], *deeper[0])))!r}?"
    return nearest(name, sorted({field for part in parts for field in part.model_fields}))


def _below(parts: list[_Model]) -> Iterator[tuple[str, ...]]:
    for part in parts:
        for name, field in part.model_fields.items():
            yield (name,)
            for below in _below(list(_inside(field.annotation))):
                yield (name, *below)
