"""Things that are known by name: Undertow's own, and those that other packages add through entry points.

    DOMAINS: Registry[Maker] = Registry("domain", "undertow.domains", "domain.kind")
    DOMAINS.register("numbers", "undertow.domains.numbers:make", says="lists of numbers")
    DOMAINS.get("numbers")

Undertow's own names are looked up first and never read an entry point: reading them takes a while, and a package that
is broken must not get in the way. What an entry point names is imported when it is asked for, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast, overload

from undertow.errors import InputError, nearest

T = TypeVar("T")
OWN: Final = "undertow"


class Origin(NamedTuple):
    """The package that a plugin comes from."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def key(self) -> dict[str, str]:
        """What it is in a step's key."""
        return self._asdict()


@dataclass(frozen=True)
class Entry:
    """One name of a registry."""

    name: str
    source: str
    """`undertow`, or the name and the version of a package."""
    says: str = ""
    """What it is, in a few words; empty for plugins."""
    aliases: tuple[str, ...] = ()
    """Old spellings."""
    problem: str = ""
    """Why it cannot be used; empty where it can, or where nobody has tried."""


@dataclass(frozen=True)
class _Own:
    target: object
    says: str
    aliases: tuple[str, ...]


class Registry(Generic[T]):
    """The things of one kind by their names.

    Args:
        noun: What one of them is called in messages.
        group: Entry-point group by which other packages add some.
        key: Where a user names one: a key of an experiment file or an option.
    """

    def __init__(self, noun: str, group: str, key: str) -> None:
        self.noun, self.group, self.key = noun, group, key
        self._own: dict[str, _Own] = {}
        self._aliases: dict[str, str] = {}

    @overload
    def register(self, name: str, target: T | str, *, says: str, aliases: Iterable[str] = ()) -> T | str: ...
    @overload
    def register(self, name: str, *, says: str, aliases: Iterable[str] = ()) -> Callable[[T], T]: ...
    def register(self, name: str, target: Any = None, *, says: str, aliases: Iterable[str] = ()) -> Any:
        """Add one of ours; without a target, a decorator that adds what it decorates.

        Args:
            name: Its name.
            target: It, or where it is: `module` or `module:attribute`, imported when it is first asked for.
            says: What it is, in a few words.
            aliases: Old spellings, which stay accepted.

        Raises:
            ValueError: the name is taken.
        """
        if target is None:

            def decorate(decorated: T) -> T:
                self.register(name, decorated, says=says, aliases=aliases)
                return decorated

            return decorate
        old = tuple(aliases)
        for each in (name, *old):
            if each in self._own or each in self._aliases:
                raise ValueError(f"the {self.noun} {each!r} is there already")
        self._own[name] = _Own(target, says, old)
        self._aliases |= dict.fromkeys(old, name)
        return target

    def canonical(self, name: str) -> str:
        """Return the present spelling of a name."""
        return self._aliases.get(name, name)

    def own_names(self) -> list[str]:
        """Return Undertow's own names, in the order in which they were added. Reads no entry point."""
        return list(self._own)

    def names(self) -> list[str]:
        """Return all names: Undertow's own, then those of plugins in alphabetical order."""
        return [*self._own, *sorted({each.name for each in _entry_points(self.group)} - self._own.keys())]

    def get(self, name: str, where: str | None = None) -> T:
        """Return what has a name, in its present or in an old spelling.

        Args:
            name: The name.
            where: The key or option that names it, in place of the registry's own.

        Raises:
            InputError: there is none of that name, or the package that adds it cannot be loaded.
        """
        name = self.canonical(name)
        if name in self._own:
            target = self._own[name].target
            return cast(T, load(target) if isinstance(target, str) else target)
        return cast(T, self._load(self._point(name, where), where))

    def origin(self, name: str) -> Origin | None:
        """Return the package that a name comes from; None for Undertow's own.

        Raises:
            InputError: there is none of that name.
        """
        name = self.canonical(name)
        return None if name in self._own else _origin(self._point(name, None))

    def entries(self) -> list[Entry]:
        """Return all names with where they come from. Plugins are loaded, so that those that fail are told."""
        found = [Entry(name, OWN, each.says, each.aliases) for name, each in self._own.items()]
        for point in sorted(_entry_points(self.group), key=lambda each: each.name):
            problem = ""
            if self.canonical(point.name) in self._own:
                problem = "the name is taken by one of Undertow's own"
            else:
                try:
                    self._load(self._point(point.name, None), None)
                except InputError as error:
                    problem = error.what
            found.append(Entry(point.name, str(_origin(point)), problem=problem))
        return found

    def _point(self, name: str, where: str | None) -> metadata.EntryPoint:
        found = [point for point in _entry_points(self.group) if point.name == name]
        if not found:
            known = self.names()
            raise InputError(f"no {self.noun} is called {name!r}", where or self.key, nearest(name, known))
        if len(found) > 1:
            by = " and ".join(sorted(str(_origin(point)) for point in found))
            raise InputError(f"the {self.noun} {name!r} is added twice, by {by}", where or self.key, "Uninstall one.")
        return found[0]

    def _load(self, point: metadata.EntryPoint, where: str | None) -> object:
        try:
            return point.load()
        except Exception as error:  # whatever a stranger's module raises when it is imported
            raise InputError(
                f"the {self.noun} {point.name!r} of {_origin(point)} cannot be loaded "
                f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'without a word'})",
                where or self.key,
                f"Mend or uninstall {_origin(point).package}.",
            ) from error


def load(target: str) -> Any:
    """Import `module`, or what `module:attribute` names."""
    module, _, attribute = target.partition(":")
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def checked_options(plugin: object, options: Mapping[str, Any]) -> Any:
    """Return what a plugin takes: an instance of its `Options`, a pydantic model; the mapping itself where it has none.

    Raises:
        ValueError: pydantic's `ValidationError`, where the options do not fit.
    """
    model = getattr(plugin, "Options", None)
    return dict(options) if model is None else model.model_validate(dict(options))


@cache
def _entry_points(group: str) -> tuple[metadata.EntryPoint, ...]:
    # A folder that is on the path twice, as with an editable install, brings the same entry point twice.
    points = metadata.entry_points(group=group)
    return tuple({(each.name, each.value, _origin(each)): each for each in points}.values())


def _origin(point: metadata.EntryPoint) -> Origin:
    distribution = point.dist
    return Origin(distribution.name, distribution.version) if distribution is not None else Origin("unknown", "0")
