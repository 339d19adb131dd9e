"""Reading a trait's YAML file: size-limited, nothing executed, every fault said with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from undertow.errors import InputError, nearest

MAX_BYTES: Final = 1_000_000

Model = TypeVar("Model", bound=BaseModel)


def read_text(path: Path, like: str) -> str:
    """Read a file of the user's.

    Args:
        path: The file.
        like: A shipped file of its kind, for the message.

    Raises:
        InputError: it cannot be read, is too long or no text.
    """
    fix = f"Name a YAML file like the shipped {like}."
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"is longer than {MAX_BYTES:,} bytes", str(path), fix)
        return data.decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", str(path), fix) from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", str(path), fix) from error


def parse_model(model: type[Model], text: str, where: str) -> Model:
    """Turn YAML into what a model describes.

    Raises:
        InputError: it is no YAML, or does not fit; the message names the line or the key.
    """
    import yaml

    try:
        data: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        place = f"{where}, line {line + 1}" if line is not None else where
        raise InputError("is not YAML", place, "Check the indentation and the quotes.") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise InputError(
                f"unknown key {key!r}", where, nearest(str(first["loc"][-1]), list(model.model_fields))
            ) from error
        message = first["msg"].removeprefix("Value error, ")
        whole = f"the {model.__name__.lower()}"
        raise InputError(f"{key or whole}: {message}", where, "Change it and run again.") from error
