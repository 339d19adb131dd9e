"""Public names of a package that load on first use, and packages that can be called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect import Signature


def lazy(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`.

    Args:
        package: Its `__name__`.
        modules: Public name to the module that holds it: inside the package, or anywhere by its whole name. After a
            colon stands the name that it has there, if that is another one.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, original = modules[name].partition(":")
        found = import_module(module if module.startswith("undertow.") else f"{package}.{module}")
        if isinstance(found, CallablePackage) and found.__name__ == f"{package}.{name}":
            return found
        return getattr(found, original or name)

    return load, lambda: sorted(modules)


class CallablePackage(ModuleType):
    """A package that is called like its function of the same name.

    Python binds a package to its name in the parent once it is imported. A function of that name in the parent would
    vanish at that moment; a package that can be called serves both uses.
    """

    def __call__(self, *args: Any, **more: Any) -> Any:
        """Call the function."""
        return self._function(*args, **more)

    @property
    def __signature__(self) -> Signature:
        """The function's, for `inspect` and editors."""
        from inspect import signature

        return signature(self._function)

    @property
    def _function(self) -> Callable[..., Any]:
        return getattr(self, self.__name__.rpartition(".")[2])


def make_callable(package: str) -> None:
    """Let a package be called like its function of the same name.

    Args:
        package: Its `__name__`.
    """
    sys.modules[package].__class__ = CallablePackage
