"""What a user says about how a dataset is to be read: columns, which answer of a pair, which turns carry loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from undertow.data.layouts.preferences import Use
from undertow.data.rows import LOSS, Loss
from undertow.errors import InputError, nearest

PARTS: Final = ("prompt", "answer", "system", "reasoning", "messages", "tools", "text")
"""What a column may hold."""
_NEEDED: Final = ({"prompt", "answer"}, {"messages"}, {"text"})
_BESIDE: Final = ({"system", "reasoning", "tools"}, {"system", "tools"}, set[str]())


@dataclass(frozen=True)
class Reading:
    """How the records of a dataset become rows."""

    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    """What each column holds: one of `PARTS` to the column's name. Empty: the layout is recognised."""
    use: Use | None = None
    """The answer of a preference pair, or the label."""
    loss: Loss = LOSS
    pipes: bool = False
    """Whether a pipe may be read. It can be read once only, so a verb that reads its dataset again must not."""

    def settings(self) -> dict[str, Any]:
        """Return what a result states: what is not the default."""
        said = {"columns": dict(self.columns), "use": self.use, "loss": None if self.loss == LOSS else self.loss}
        return {key: value for key, value in said.items() if value}

    def options(self) -> list[str]:
        """Return the words of a command line that say the same; none where all is the default."""
        said = self.settings()
        if self.columns:
            said["columns"] = ",".join(f"{part}={name}" for part, name in self.columns.items())
        return [word for key, value in said.items() for word in (f"--{key}", value)]


RECOGNISED: Final = Reading()


def reading_of(columns: str | None, use: Use | None, loss: Loss) -> Reading:
    """Return what options of a command line say.

    Raises:
        InputError: the columns are none.
    """
    return Reading(columns={} if columns is None else parse_columns(columns), use=use, loss=loss)


def parse_columns(text: str) -> dict[str, str]:
    """Read `prompt=question,answer=reply`.

    Raises:
        InputError: it is no such list, or the parts do not make a row.
    """
    columns: dict[str, str] = {}
    for each in text.split(","):
        part, sign, name = each.strip().partition("=")
        if not sign or not name:
            raise InputError(f"has {each!r}, which is no PART=COLUMN", "--columns", "Such as prompt=q,answer=a.")
        if part not in PARTS:
            raise InputError(f"has the part {part!r}", "--columns", nearest(part, PARTS))
        if part in columns:
            raise InputError(f"names {part!r} twice", "--columns", "Name one column for each part.")
        columns[part] = name
    check_columns(columns)
    return columns


def check_columns(columns: Mapping[str, str]) -> None:
    """See that named columns make a row.

    Raises:
        InputError: they do not.
    """
    parts = set(columns)
    if not any(needed <= parts <= needed | beside for needed, beside in zip(_NEEDED, _BESIDE, strict=True)):
        raise InputError(
            f"names {', '.join(sorted(parts)) or 'nothing'}, which makes no row",
            "--columns",
            "Name prompt and answer (system, reasoning, tools beside them), messages (system, tools), or text.",
        )
