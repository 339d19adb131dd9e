"""Small files that a user writes: read with a size limit, nothing executed, every fault named with its key."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from undertow.errors import InputError, nearest

MAX_BYTES: Final = 1_000_000
_VALUE: Final = re.compile(r"[-+]?[\d.]+([eE][-+]?\d+)?$|true$|false$", re.IGNORECASE)
"""Text that would be a number, or true or false, without quotes."""
_LONGEST: Final = 80
"""Characters of a wrong value that a message repeats."""

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path, fix: str, *, most: int = MAX_BYTES) -> str:
    """Read a file of the user's.

    Args:
        path: The file.
        fix: What to do where it is none of the kind that is wanted.
        most: Bytes; a longer file is refused.

    Raises:
        InputError: it cannot be read, is too long or no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise InputError(f"is longer than {most:,} bytes", str(path), fix)
        return data.decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), fix) from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", str(path), fix) from error


def like(file: str) -> str:
    """Say what to do, by a shipped file of the kind that is wanted."""
    return f"Name a YAML file like the shipped {file}."


def parse_model(model: type[Model], text: str, where: str) -> Model:
    """Turn YAML into what a model describes.

    Raises:
        InputError: it is no YAML, or does not fit; the message names the line or the key.
    """
    return fit_model(model, parse_yaml(text, where), where)


def parse_yaml(text: str, where: str, raises: type[InputError] = InputError) -> object:
    """Turn YAML into plain values.

    Args:
        text: YAML.
        where: What to call the file in messages.
        raises: The class of the error.

    Raises:
        InputError: it is no YAML; the message names the line.
    """
    from undertow.config.limited_yaml import YamlProblem, fix_for, read_yaml, says_what

    try:
        return read_yaml(text)
    except YamlProblem as error:
        place = f"{where}, line {error.line}" if error.line is not None else where
        raise raises(says_what(str(error)), place, fix_for(str(error))) from error


def shown(value: object) -> str:
    """Repeat a value that YAML read otherwise than it looks, and say why."""
    if isinstance(value, bool):
        words = "yes, on and true" if value else "no, off and false"
        return f"{str(value).lower()} (YAML reads {words} so where they are not in quotes)"
    if isinstance(value, date):
        return f"the date {value} (put it in quotes)"
    text = repr(value)
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return f"{text} (take the quotes away)" if isinstance(value, str) and _VALUE.match(value) else text


def fit_model(model: type[Model], data: object, where: str) -> Model:
    """Turn plain values into what a model describes.

    Raises:
        InputError: they do not fit; the message names the key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        # A misspelt key is found twice, once as missing and once as unknown: the second says what to change.
        first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise InputError(
                f"unknown key {key!r}", where, nearest(str(first["loc"][-1]), list(model.model_fields))
            ) from error
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] in ("string_type", "int_type", "float_type", "bool_type"):
            message += f", not {shown(first['input'])}"
        whole = f"the {model.__name__.lower()}"
        raise InputError(f"{key or whole}: {message}", where, "Change it and run again.") from error
