"""A trait's YAML file: shipped or the user's, size-limited, nothing executed, every fault said with its key."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from undertow.errors import InputError, nearest

MAX_BYTES: Final = 1_000_000

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


def parse_yaml(text: str, where: str) -> object:
    """Turn YAML into plain values.

    Raises:
        InputError: it is no YAML; the message names the line.
    """
    from undertow._yaml import YamlProblem, read_yaml

    try:
        return read_yaml(text)
    except YamlProblem as error:
        place = f"{where}, line {error.line}" if error.line is not None else where
        raise InputError(f"is not YAML ({error})", place, "Check the indentation and the quotes.") from error


def fit_model(model: type[Model], data: object, where: str) -> Model:
    """Turn plain values into what a model describes.

    Raises:
        InputError: they do not fit; the message names the key.
    """
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


def shipped(*folder: str) -> dict[str, Traversable]:
    """Return the YAML files of a folder of the package's data by their names, in order.

    A name is looked up here and never becomes part of a path.
    """
    inside = resources.files("undertow.traits").joinpath("data", *folder)
    files = {item.name.removesuffix(".yaml"): item for item in inside.iterdir() if item.name.endswith(".yaml")}
    return dict(sorted(files.items()))


def load_named(model: type[Model], name: str, files: dict[str, Traversable], *, noun: str, key: str) -> Model:
    """Read a file that ships with the package, or one of the user's.

    Args:
        model: What it describes.
        name: A shipped file's, or a path that ends with `.yaml` or `.yml`.
        files: Those that ship, see `shipped`.
        noun: What such a file is called in messages.
        key: The spec's key that names it.

    Raises:
        InputError: there is none of that name, or the file does not describe one.
    """
    if name.endswith((".yaml", ".yml")):
        return parse_model(model, read_text(Path(name), like(f"{next(iter(files))}.yaml")), name)
    if name not in files:
        fix = f"{nearest(name, list(files))} A file of yours must end with .yaml."
        raise InputError(f"no {noun} is called {name!r}", key, fix)
    return parse_model(model, files[name].read_text(encoding="utf-8"), f"{noun} {name}")


def digest_of(value: object) -> str:
    """Return twelve hex digits that stand for plain JSON values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
