"""Trait files that ship with the package, and how a name finds one of them or a file of the user's."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from undertow.config.files import Model, like, parse_model, read_text
from undertow.errors import InputError, nearest


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
