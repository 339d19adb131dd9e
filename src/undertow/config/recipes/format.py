"""How a file of any format is read: every key is taken, harmless, not modelled or unknown, and exactly one of these.

A format is a few tables and a function. The function sees the keys that its table takes, and returns the fields of the
recipe; what it cannot obey, it says. It does not know which formats there are.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pydantic import ValidationError

from undertow.config.recipes.found import Key, RecipeFile
from undertow.config.recipes.keys import Found, Keys
from undertow.config.recipes.source import Source
from undertow.config.recipes.spec import RecipeSpec
from undertow.errors import SpecError

_OFF: Final = (None, False, "", "no", "none", [], {})
_CLOSE: Final = 0.8
"""Share of equal letters from which a known key is named beside an unknown one."""


@dataclass(frozen=True)
class Format:
    """One kind of recipe file.

    Names are those of the file; a name in a section that is opened begins with what the section says.
    """

    name: str
    title: str
    source: str
    """Where the names and the defaults are from."""
    taken: Mapping[str, str]
    """Key -> fields of the recipe that it sets, with commas."""
    not_modelled: Mapping[str, Collection[Any]]
    """Key -> values with which it changes nothing, beside null, false, empty and no."""
    harmless: Collection[str]
    """Keys that do not change what a student learns; a star stands for any ending."""
    marks: Collection[str]
    """Keys that no other format has."""
    read: Callable[[Keys], dict[str, Any]]
    sections: Mapping[str, str] = field(default_factory=dict[str, str])
    """Mappings that are opened -> what the names in them begin with."""
    strict: bool = False
    """Unknown keys are refused."""


def open_sections(form: Format, source: Source) -> dict[str, Found]:
    """Return the keys of a file by the names that a format gives them.

    Raises:
        SpecError: a key stands twice.
    """
    return gathered(_walk(form, source, source.values, (), ""))


def gathered(keys: Iterable[tuple[str, Found]]) -> dict[str, Found]:
    """Put keys into a mapping.

    Raises:
        SpecError: a key stands twice.
    """
    made: dict[str, Found] = {}
    for name, each in keys:
        if name in made:
            raise SpecError(
                f"{each.path} and {made[name].path} are the same setting", each.place, "Take one of them away."
            )
        made[name] = each
    return made


def _walk(
    form: Format, source: Source, values: Mapping[Any, Any], above: tuple[str, ...], prefix: str
) -> Iterator[tuple[str, Found]]:
    for each, value in values.items():
        path = (*above, str(each))
        dotted = ".".join(path)
        if dotted in form.sections and isinstance(value, dict) and value:
            yield from _walk(form, source, cast(dict[Any, Any], value), path, form.sections[dotted])
        else:
            line = source.lines.get(path)
            yield prefix + str(each), Found(dotted, value, source.place(line), line)


def known(form: Format) -> list[str]:
    """Return all keys that a format knows, but for those that a star stands for."""
    return [*form.taken, *form.not_modelled, *(each for each in form.harmless if not each.endswith("*"))]


def is_off(value: Any, also: Collection[Any]) -> bool:
    """Say whether a value switches something off, or is one of those that change nothing."""
    return any(type(value) is type(each) and value == each for each in _OFF) or any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for each in also
    )


def read_keys(form: Format, keys: Keys, name: str, path: str, digest: str) -> RecipeFile:
    """Make a recipe of the keys of a file.

    Raises:
        SpecError: keys contradict each other, or have values that no recipe has.
    """
    fields = form.read(keys)
    spec = _checked(form, keys, {"name": name, **fields})
    sorted_keys: dict[str, list[Key]] = {"taken": [], "harmless": [], "not_modelled": [], "unknown": []}
    for each, found in keys.found.items():
        place, says = _place(form, keys, each, found.value)
        if place == "taken" and spec.adapter is None and says.startswith("adapter."):
            place, says = "harmless", "there is no adapter"
        sorted_keys[place].append(Key(found.path, found.value, found.line, says))
    if form.strict and sorted_keys["unknown"]:
        first = sorted_keys["unknown"][0]
        found = next(each for each in keys.found.values() if each.path == first.name)
        raise SpecError(f"unknown key {first.name!r:.80}", found.place, first.says or "docs/recipes.md lists them.")
    made = {place: tuple(each) for place, each in sorted_keys.items()}
    return RecipeFile(spec=spec, kind=form.name, path=path, notes=tuple(keys.notes), digest=digest, **made)


def _place(form: Format, keys: Keys, name: str, value: Any) -> tuple[str, str]:
    if name in keys.moved:
        return "not_modelled", keys.moved[name]
    if name in form.taken:
        return "taken", form.taken[name]
    if name in form.not_modelled:
        return ("harmless", "") if is_off(value, form.not_modelled[name]) else ("not_modelled", "")
    if name in form.harmless or any(each[-1] == "*" and name.startswith(each[:-1]) for each in form.harmless):
        return "harmless", ""
    if name in form.sections and value in (None, {}):
        return "harmless", ""
    close = difflib.get_close_matches(name, known(form), n=1, cutoff=_CLOSE)
    return "unknown", f"did you mean {close[0]!r}?" if close else ""


def _checked(form: Format, keys: Keys, fields: dict[str, Any]) -> RecipeSpec:
    try:
        spec = RecipeSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        target = ".".join(str(part) for part in first["loc"] if isinstance(part, str))
        named = _setting(form, keys, target) if target else []
        what = first["msg"].removeprefix("Value error, ")
        if named:
            keys.refuse(named[0], f"cannot be used as the recipe's {target}: {what}")
        raise SpecError(f"{target}: {what}" if target else what, keys.where, "Change it and run again.") from error
    adapter = spec.adapter
    if adapter is not None and adapter.dora and adapter.bits is not None:
        dora, bits = _first(form, keys, "adapter.dora"), _first(form, keys, "adapter.bits")
        keys.clash(dora, bits, "DoRA is not trained on quantised weights here", "Take one of them away.")
    if spec.packing and spec.most_tokens is None:
        length = next(name for name, sets in form.taken.items() if "most_tokens" in sets.split(", "))
        packing = _first(form, keys, "packing")
        keys.lacks(packing, length, "rows are joined to sequences of that length")
    return spec


def _setting(form: Format, keys: Keys, target: str) -> list[str]:
    return [name for name, sets in form.taken.items() if target in sets.split(", ") and name in keys.found]


def _first(form: Format, keys: Keys, target: str) -> str:
    """Return the key that set a field: of several, one with a value that is not off."""
    named = _setting(form, keys, target)
    return next((each for each in named if not is_off(keys.found[each].value, ())), (named or [target])[0])
