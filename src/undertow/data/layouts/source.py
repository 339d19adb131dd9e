"""One record that is being read: which of its keys were used, and which were met and not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from undertow.data.rows import UnreadableRow


class UnclearLayout(UnreadableRow):
    """A record can be read in several ways, so the user has to say which one is meant.

    Args:
        what: What is unclear about the file.
        fix: What to say.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


def _no_keys() -> set[str]:
    # `set[str]` as a factory takes five times as long, and every record has three of these.
    return set()


@dataclass(slots=True)
class Source:
    """A record, and what has become of it so far."""

    record: dict[str, Any]
    used: set[str] = field(default_factory=_no_keys)
    """Keys that were read."""
    unread: set[str] = field(default_factory=_no_keys)
    """Keys inside of it that were met and not read, such as `messages[].refusal`."""
    kept: set[str] = field(default_factory=_no_keys)
    """Keys that were read and stay in `meta`, such as `label`."""

    def take(self, key: str) -> Any:
        """Return what a key holds, None where it is absent, and remember that it was read."""
        if key in self.record:
            self.used.add(key)
        return self.record.get(key)

    def text(self, key: str) -> str:
        """Return the text that a key holds.

        Raises:
            UnreadableRow: it holds something else.
        """
        value = self.take(key)
        if not isinstance(value, str):
            raise UnreadableRow(f"{key} is {kind_of(value)}, not text")
        return value

    def text_or_none(self, key: str) -> str | None:
        """Return the text that a key holds, None where the key is absent, empty or null.

        Raises:
            UnreadableRow: it holds something else.
        """
        return self.text(key) or None if self.record.get(key) is not None else None


def kind_of(value: object) -> str:
    """Name the kind of a JSON value, as in `content is a list, not text`."""
    if value is None:
        return "missing"
    if value == []:
        return "an empty list"
    kinds = ((bool, "true or false"), (int | float, "a number"), (str, "text"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "something else")
