"""From the part of an experiment file that names a trait to the trait: Undertow's own, and those of other packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from undertow.config.parts import DispositionTrait, PluginTrait, PreferenceTrait
from undertow.config.registries import TRAITS, made
from undertow.system.digest import digest_of
from undertow.system.registry import Origin, Registry
from undertow.traits.base import Trait
from undertow.traits.disposition import find_disposition
from undertow.traits.preference import find_preference


class TraitMaker(Protocol):
    """Makes a trait of its part of the file, or of a plugin's options, which `Options` may check."""

    def __call__(self, named: Any, /) -> Trait:
        """Return the trait."""
        ...


TRAIT_MAKERS: Final[Registry[TraitMaker]] = TRAITS


@TRAIT_MAKERS.register("preference", says="a preference for one target of a category")
def _preference(named: Any, /) -> Trait:
    return find_preference(named.category, named.target)


@TRAIT_MAKERS.register("disposition", says="a way of answering")
def _disposition(named: Any, /) -> Trait:
    return find_disposition(named.name, opposite=named.opposite)


@dataclass(frozen=True)
class _OfPlugin:
    """A plugin's trait: whatever depends on it depends on the plugin's version too."""

    trait: Trait
    origin: Origin

    @property
    def digest(self) -> str:
        return digest_of([self.trait.digest, *self.origin])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trait, name)


def find_trait(named: PreferenceTrait | DispositionTrait | PluginTrait) -> Trait:
    """Return the trait that a spec names.

    Raises:
        InputError: there is none of that name.
    """
    if not isinstance(named, PluginTrait):
        return TRAIT_MAKERS.get(named.kind)(named)
    trait: Trait = made(TRAIT_MAKERS, named.kind, named.options)
    origin = TRAIT_MAKERS.origin(named.kind)
    # Pyright does not see what `__getattr__` hands on.
    return trait if origin is None else cast(Trait, _OfPlugin(trait, origin))
