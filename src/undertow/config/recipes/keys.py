"""The keys of a recipe file by their type, and the errors that name them.

Numbers are taken as trainers take them: `"2e-4"` in quotes is one. A key with the value null counts as absent, but
where a reader asks for `given`. It does not know any format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, cast

from undertow.config.files import shown
from undertow.errors import SpecError

_YES: Final = ("true", "yes", "t", "y", "1", "on")
_NO: Final = ("false", "no", "f", "n", "0", "off")
_PATTERN: Final = frozenset("*()[]{}|^$+?\\")
"""Characters of a regular expression, which no name of a module has."""
_LONGEST: Final = 40
"""Characters of a number."""
ALL: Final = ("all-linear", "all", "all_linear")
"""How trainers write every linear matrix."""


@dataclass(frozen=True)
class Found:
    """A key as it stands in a file."""

    path: str
    value: Any
    place: str
    line: int | None


@dataclass
class Keys:
    """The keys of one recipe by the names that its format gives them."""

    found: Mapping[str, Found]
    where: str
    devices: int = 1
    notes: list[str] = field(default_factory=list[str])
    moved: dict[str, str] = field(default_factory=dict[str, str])
    """Keys that cannot be obeyed with the value that they have, and what stands in."""
    read: set[str] = field(default_factory=set[str])
    """Keys that a reader has asked for."""

    def given(self, name: str) -> bool:
        """Say whether a key stands in the file, be it as null."""
        self.read.add(name)
        return name in self.found

    def get(self, name: str) -> Any:
        """Return a value as it is; None where the key is absent."""
        self.read.add(name)
        return self.found[name].value if name in self.found else None

    def has(self, name: str) -> bool:
        """Say whether a key has a value other than null and an empty text."""
        return self.get(name) not in (None, "")

    def number(self, name: str, default: float, *, least: float = -math.inf) -> float:
        """Return a number, or the default where there is none.

        Raises:
            SpecError: it is no number, or below the least.
        """
        value = self.get(name)
        if value in (None, ""):
            return default
        made = _number(value)
        if made is None or not made >= least:
            need = "a number" if least == -math.inf else f"a number from {least:g}"
            self.refuse(name, f"must be {need}, not {shown(value) if made is None else value}")
        return made

    def whole(self, name: str, default: int, *, least: int | None = None) -> int:
        """Return a whole number, or the default where there is none.

        Raises:
            SpecError: it is none, or below the least.
        """
        made = self.number(name, default, least=-math.inf if least is None else least)
        if made != int(made):
            self.refuse(name, f"must be a whole number, not {self.get(name)}")
        return int(made)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return whether something is on.

        Raises:
            SpecError: the value is neither true nor false.
        """
        value = self.get(name)
        if value in (None, ""):
            return default
        word = str(value).lower()
        if isinstance(value, bool | int | str) and word in (*_YES, *_NO):
            return word in _YES
        self.refuse(name, f"must be true or false, not {shown(value)}")

    def text(self, name: str, default: str = "") -> str:
        """Return text, or the default where there is none.

        Raises:
            SpecError: it is no text.
        """
        value = self.get(name)
        if value in (None, ""):
            return default
        if not isinstance(value, str):
            self.refuse(name, f"must be text, not {shown(value)}")
        return value.strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; text with commas is one as well.

        Raises:
            SpecError: it is no such list.
        """
        value = self.get(name)
        parts: Any = value.split(",") if isinstance(value, str) else value or ()
        if not isinstance(parts, list | tuple) or not all(isinstance(each, str) for each in cast(list[Any], parts)):
            self.refuse(name, f"must be a list of texts, not {shown(value)}")
        return tuple(each.strip() for each in cast(list[str], parts) if each.strip())

    def wholes(self, name: str) -> tuple[int, ...] | None:
        """Return a whole number or a list of some as a list; None where there is none.

        Raises:
            SpecError: it is no such list.
        """
        value = self.get(name)
        if value in (None, "", []):
            return None
        numbers = [_number(each) for each in (cast(list[Any], value) if isinstance(value, list) else [value])]
        if any(each is None or each != int(each) for each in numbers):
            self.refuse(name, f"must be a list of whole numbers, not {shown(value)}")
        return tuple(int(cast(float, each)) for each in numbers)

    def targets(self, name: str) -> tuple[str, ...] | None:
        """Return the matrices that get adapters; None for all linear ones.

        Raises:
            SpecError: it is no list of names.
        """
        value = self.get(name)
        if isinstance(value, str) and _PATTERN & set(value):
            self.instead(name, "a pattern; every linear matrix gets adapters in its place")
            return None
        names = self.texts(name)
        return None if not names or any(each in ALL for each in names) else names

    def instead(self, name: str, says: str) -> None:
        """Note that a key cannot be obeyed with its value, and what stands in."""
        self.moved[name] = says

    def note(self, text: str) -> None:
        """Tell the user something."""
        self.notes.append(text)

    def refuse(self, name: str, what: str, fix: str = "Change it and run again.") -> NoReturn:
        """Raise an error about one key."""
        found = self.found.get(name)
        path, place = (found.path, found.place) if found is not None else (name, self.where)
        raise SpecError(f"{path} {what}", place, fix)

    def clash(self, first: str, second: str, why: str, fix: str) -> NoReturn:
        """Raise an error about two keys, of which the second may be missing."""
        self.refuse(first, f"= {self._short(first)} and {self._name(second)} = {self._short(second)}: {why}", fix)

    def lacks(self, name: str, missing: str, why: str = "") -> NoReturn:
        """Raise an error about a key that needs another."""
        reason = f": {why}" if why else ""
        self.refuse(name, f"= {self._short(name)} needs {missing}, which is not given{reason}", f"Add {missing}.")

    def _name(self, name: str) -> str:
        return self.found[name].path if name in self.found else name

    def _short(self, name: str) -> str:
        if name not in self.found:
            return "(absent)"
        value = self.found[name].value
        return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)[:60]


def _number(value: Any) -> float | None:
    """Return a finite number, or None; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        made = float(value) if not isinstance(value, str) or len(value) <= _LONGEST else math.nan
    except (ValueError, OverflowError):
        return None
    return made if math.isfinite(made) else None
