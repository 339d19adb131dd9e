"""What the results of a scan hold beside the shifts of traits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from undertow.results.records import Effect, Record, RowCounts
from undertow.results.rehearsals import RehearsalRecord


class SuspectRow(Record):
    """A row that carries much of what a scan found, with the tokens that do."""

    file: str
    number: int
    """Line, entry or record, from 1."""
    trait: str
    share: float
    """What it carries, as a multiple of what rows carry on average in either direction."""
    prompt: str
    pieces: list[str]
    """The answer's tokens as text."""
    weights: list[float]
    """Each token's part of it, as a share of the row's largest; of the norms' part of the gradient alone."""


class Common(Record):
    """Whether the rows pull a student in one direction, and where to."""

    cosine: float
    """Mean inner product of the gradients of two prompts, as a share of their mean squared length."""
    p: float
    beyond_panel: float
    """The same for what no trait of the panel accounts for."""
    p_beyond_panel: float
    up: list[str]
    """Tokens that become likelier at the beginning of answers to unrelated questions."""
    down: list[str]


class MethodRecord(Record):
    """What another method says of the same rows."""

    name: str
    findings: list[Effect]
    """In units of its own, surest first."""


class CalibrationNote(Record):
    """Whether the sizes of a scan were calibrated on what it speaks of."""

    id: str = ""
    """Of the calibration, or of the nearest one where there is none; empty where the tier has none."""
    tier: str
    """How the sizes were predicted: gradient, virtual or beside."""
    not_calibrated: list[str] = Field(default_factory=list[str])
    """Every reason why no calibration holds, in words; empty where one does."""


class ScanRecord(Record):
    """What a scan saw beside the shifts of traits."""

    rows: RowCounts
    reference: RowCounts | None = None
    prompts: int
    """Different ones among the rows that were looked at."""
    format: str
    """What the answers were held to, in words."""
    temperature: float
    """At which the student's base would most likely have written them."""
    lineage: Literal["same", "different", "unknown"]
    lineage_because: str
    lineage_p: float | None = None
    provenance: str = ""
    """Who may have written the rows, in words; it decides nothing. Empty in earlier scans."""
    recipe: str = ""
    """How the student that is predicted will be trained, in words; empty in scans before there were recipes."""
    steps: int | None = None
    """Of training on all rows; None in earlier scans."""
    steps_covered: int | None = None
    """Of these, the first ones that are predicted."""
    calibration: CalibrationNote | None = None
    """None in scans before calibrations had ranges, and where nothing was predicted."""
    common: Common
    suspects: list[SuspectRow] = Field(default_factory=list[SuspectRow])
    methods: list[MethodRecord] = Field(default_factory=list[MethodRecord])
    rehearsal: RehearsalRecord | None = None
    """None where no students were trained."""
