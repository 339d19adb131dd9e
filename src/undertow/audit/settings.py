"""The settings of an audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from undertow.config.engine import Engine
from undertow.config.parts import API
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.system.names import slug


class AuditSettings(BaseModel):
    """Models, traits and limits of an audit.

    Examples:
        >>> from undertow import AuditSettings
        >>> AuditSettings(base="hf/base", student="hf/student").models()
        {'base': 'hf/base', 'student': 'hf/student'}
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = "embedded/smollm2-135m"
    student: str
    teacher: str | None = None
    controls: tuple[str, ...] = ()
    """Students that were trained on the untouched base's rows with the same recipe. With two or more, how far they lie
    apart enters the intervals."""
    traits: tuple[str, ...] | None = None
    """Entries of the panel; all that ship when absent."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    smallest_effect: float = Field(default=0.1, gt=0)
    """Log-odds below which a shift does not matter."""
    samples: int | None = Field(default=None, ge=2)
    """Answers of each model to each entry of the panel, where a model can only be sampled; chosen by power when
    absent."""
    power: float = Field(default=0.8, gt=0.5, lt=1)
    """Wanted chance to see a shift of the smallest effect, where a model can only be sampled."""
    engine: Engine = "auto"
    """How models are computed."""

    @model_serializer(mode="wrap")
    def _as_stored(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what audits before it did not have: it names their run folders."""
        found: dict[str, Any] = dump(self)
        if self.engine == "auto":
            found.pop("engine", None)
        return found

    @property
    def by_sampling(self) -> bool:
        """Whether some model can only be sampled."""
        return any(name.startswith(API) for who, name in self.models().items() if who != "teacher")

    def models(self) -> dict[str, str]:
        """Return the measured models by their role: base, student, control-1 and so on, teacher."""
        named = {"base": self.base, "student": self.student}
        named |= {f"control-{at + 1}": name for at, name in enumerate(self.controls)}
        return named if self.teacher is None else {**named, "teacher": self.teacher}


class Prices(BaseModel):
    """What a model behind an address costs for a million tokens, in a currency of your choice.

    Examples:
        >>> from undertow import Prices
        >>> Prices(tokens_in=0.15, tokens_out=0.6).tokens_out
        0.6
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens_in: float = Field(default=0.0, ge=0)
    tokens_out: float = Field(default=0.0, ge=0)


class Sources(BaseModel):
    """Files of an audit: the rows that the student was trained on, and where run folders lie.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import Sources
        >>> Sources(rows=Path("rows.jsonl")).runs.name
        'runs'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Path | None = None
    split: str | None = None
    skip_broken: bool = False
    reading: Reading = RECOGNISED
    """How records become rows, and which turns carry loss."""
    runs: Path = Path("runs")


def folder_name(student: str) -> str:
    """Return the name of a run folder for a student."""
    return f"audit-{slug(student.rsplit('/', 1)[-1], 'student')}"
