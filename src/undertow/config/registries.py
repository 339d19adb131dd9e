"""What an experiment file names and other packages can add to: domains, traits, teachers and judges.

The packages that hold Undertow's own register them here; a file is checked without importing those. A plugin is looked
up when a file names what is none of Undertow's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

from undertow.errors import InputError, nearest
from undertow.system.registry import Origin, Registry, checked_options

DOMAINS: Final[Registry[Any]] = Registry("domain", "undertow.domains", "domain.kind")
"""See `undertow.domains.find`."""
TRAITS: Final[Registry[Any]] = Registry("kind of trait", "undertow.traits", "trait.kind")
"""See `undertow.traits.find`."""
TEACHERS: Final[Registry[Any]] = Registry("teacher method", "undertow.teachers", "instil.method")
"""See `undertow.teachers.protocol`."""
JUDGES: Final[Registry[Any]] = Registry("judge", "undertow.judges", "judge.kind")
"""See `undertow.judges.find`."""

WITHOUT_PLUGINS: Final[Mapping[str, bool]] = {"plugins": False}
"""Pydantic's context in which settings are read without looking for the plugins that they name."""


def name_check(registry: Registry[Any], own: Sequence[str]) -> Callable[[Any, ValidationInfo], Any]:
    """Return a validator that refuses names that neither Undertow nor a plugin has.

    Args:
        registry: Of the kind.
        own: Undertow's names.
    """

    def check(value: Any, info: ValidationInfo) -> Any:
        if value in own or info.context == WITHOUT_PLUGINS:
            return value
        known = sorted({*own, *registry.names()})
        if value not in known:
            raise PydanticCustomError(
                "unknown_name", "cannot be {given}: {hint}", {"given": repr(value), "hint": nearest(str(value), known)}
            )
        try:
            registry.get(value)
        except InputError as error:  # its package cannot be imported
            raise ValueError(error.what) from error
        return value

    return check


def check_options(registry: Registry[Any], name: str, options: Mapping[str, Any]) -> None:
    """See that a plugin takes some options.

    Raises:
        ValueError: it does not; says which and why.
    """
    try:
        checked_options(registry.get(name), options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(("options", *map(str, first["loc"])))
        model = getattr(registry.get(name), "Options", None)
        hint = ""
        if first["type"] == "extra_forbidden" and model is not None:
            hint = f" ({nearest(str(first['loc'][-1]), list(model.model_fields))})"
        raise ValueError(f"{place}: {first['msg']}{hint}") from error


def made(registry: Registry[Any], name: str, options: Mapping[str, Any], *more: object, by: str = "") -> Any:
    """Return what a plugin makes of its options.

    Args:
        registry: Of the kind.
        name: Of the plugin.
        options: Of the user.
        more: What it is given beside them.
        by: An attribute that makes it, in place of the plugin itself, where it has such a one.

    Raises:
        InputError: there is none of that name, it cannot be loaded, or the options do not fit.
    """
    try:
        check_options(registry, name, options)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(error), registry.key.rpartition(".")[0] or registry.key, "Change it.") from error
    plugin = registry.get(name)
    return (getattr(plugin, by, plugin) if by else plugin)(checked_options(plugin, options), *more)


def origin_key(registry: Registry[Any], name: str) -> dict[str, Any]:
    """Return what is added to a step's key for a plugin: its package and version; nothing for Undertow's own."""
    origin = registry.origin(name)
    return {} if origin is None else {"plugin": origin.key}


def origins_in(named: Sequence[tuple[Registry[Any], str]]) -> dict[str, str]:
    """Return the packages that some names come from, with their versions."""
    found: list[Origin | None] = [registry.origin(name) for registry, name in named]
    return {origin.package: origin.version for origin in found if origin is not None}
