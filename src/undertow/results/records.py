"""The pieces that every kind of record in results.json is made of."""

from __future__ import annotations

from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, model_validator

from undertow.system.names import with_marks


class Record(BaseModel):
    """Strict: unknown keys and numbers that are not finite are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, value: Any) -> Any:
        """Mark what is no character: a file's name may hold bytes that are not UTF-8, and JSON does not."""
        return _marked(value)


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return with_marks(value)
    if isinstance(value, dict):
        return {_marked(key): _marked(each) for key, each in cast(dict[Any, Any], value).items()}
    if isinstance(value, list):
        return [_marked(each) for each in cast(list[Any], value)]
    return value


class Interval(Record):
    """An `Estimate` as it is stored."""

    value: float
    lo: float
    hi: float
    n: int
    method: str


class TimesAsOften(Record):
    """How many times as often an arm's students give the answer that shows a trait as those of its contrast do.

    Shares are pooled over questions and students.
    """

    ratio: Interval | None
    """None where somebody gives it too seldom for an interval. `method` says what it holds: teachers, or seeds of one
    teacher, and questions."""
    share: float
    """Of the arm's students."""
    contrast_share: float
    base_share: float


class Effect(Record):
    """One measured difference between two arms, or between a student and its base."""

    name: str
    """Unique in the file, e.g. `trait-control:owl`."""
    arm: str
    contrast: str
    """The arm (or `base`) that was subtracted."""
    trait: str
    value: float
    lo: float
    hi: float
    n: int
    seeds: int
    p: float | None
    p_adjusted: float | None = None
    """`p` after a correction over the family of effects in this file."""
    adjusted_by: Literal["Holm", "BH"] = "Holm"
    """Holm's method, or Benjamini and Hochberg's."""
    unit: str = "log-odds"
    method: str = ""
    primary: bool = False
    """True for the one effect that the verdict rests on."""
    times: TimesAsOften | None = None
    """By probability among the probe's candidates; None in files of before, and where it was not measured so."""
    sampled_times: TimesAsOften | None = None
    """By answers sampled at temperature 1."""
    says: str = ""
    """One sentence for a reader who does not know the terms."""


class RowCounts(Record):
    """What became of a dataset's lines. `read == looked_at + too_long + left_out`; broken lines come on top."""

    read: int
    looked_at: int
    too_long: int
    left_out: int
    """Not in the sample."""
    broken: int
