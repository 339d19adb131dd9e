"""results.json: what every verb writes, `--json` prints, and report, gate and viewer read.

Every field that a report shows is in here, so that a report can be made again from this file alone. It holds no time
of day and no duration (those are in timing.json), so that the same spec gives the same bytes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from undertow._audit_records import (
    AuditRecord,
    LayerReadout,
    MovedToken,
    PromptCluster,
    SamplingPlan,
    Steered,
    TracedRows,
    Unnamed,
    WeightChange,
)
from undertow._records import Effect, Interval, Record, RowCounts
from undertow.errors import InputError, StoreError

__all__ = [
    "ArmSummary",
    "AuditRecord",
    "Common",
    "Curve",
    "CurvePoint",
    "Divergence",
    "Effect",
    "Funnel",
    "Interval",
    "Json",
    "LayerReadout",
    "MethodRecord",
    "MitigationRecord",
    "MovedToken",
    "Power",
    "PromptCluster",
    "Results",
    "RowCounts",
    "Sample",
    "SampledAnswers",
    "SamplingPlan",
    "ScanRecord",
    "Steered",
    "SuspectRow",
    "TeacherSummary",
    "TracedRows",
    "Unnamed",
    "VerdictRecord",
    "WeightChange",
    "load_results",
]


def _finite(value: Any) -> Any:
    """Refuse numbers that JSON does not have, at any depth: they would be lost when the file is written again."""
    inside: list[Any] = [value]
    while inside:
        each = inside.pop()
        if isinstance(each, float) and not math.isfinite(each):
            raise ValueError("numbers are to be finite")
        if isinstance(each, dict):
            inside += cast(dict[str, Any], each).values()
        elif isinstance(each, list | tuple):
            inside += cast(list[Any], each)
    return value


Json = Annotated[dict[str, Any], AfterValidator(_finite)]

MAX_BYTES: Final = 64_000_000
"""Of a results.json; a longer one is refused."""


class VerdictRecord(Record):
    """The answer, and the reason for it."""

    status: Literal["pass", "fail", "inconclusive"]
    because: str


class ArmSummary(Record):
    """One bar of the forest plot: the shift of an arm's students from the base, before any contrast."""

    arm: str
    says: str
    """What this arm is, in words."""
    shift: Interval
    """Student minus base, in log-odds of the target (for digits: test accuracy)."""
    unit: str = "log-odds"


class TeacherSummary(Record):
    """What a teacher carried before it was allowed to write."""

    arm: str
    trait: str | None
    method: str
    strength: Interval | None
    """Teacher minus base, log-odds of its target."""
    probability: float | None = None
    """Mean probability of the target among the candidates."""
    base_probability: float | None = None
    kl_per_token: float | None = None
    """Mean KL(teacher || base) in nats over the tokens of its rows: how much there was to read."""


class CurvePoint(Record):
    """The shift of an arm's students from the base after `step` optimiser steps."""

    step: int
    value: float
    lo: float
    hi: float


class Curve(Record):
    """Trait over training steps, one line of the plot."""

    arm: str
    trait: str
    unit: str = "log-odds"
    points: list[CurvePoint]


class Funnel(Record):
    """What became of the rows that one teacher wrote. `written == kept + sum(rejected.values())`.

    A row with several reasons counts under the first; `reasons` counts every reason.
    """

    arm: str
    written: int
    rejected: dict[str, int]
    reasons: dict[str, int] = Field(default_factory=dict)
    kept: int
    trained_on: int


class Divergence(Record):
    """How far two coupled datasets differ."""

    arm: str
    contrast: str
    rows: int
    rows_different: int
    tokens: int
    tokens_different: int


class Sample(Record):
    """One prompt with the coupled answers of several arms, tokenised so that differing tokens can be marked."""

    prompt: str
    answers: dict[str, list[str]]
    """Arm to the answer's tokens as text; joined they are the answer."""


class SampledAnswers(Record):
    """One-word answers that a model gave when sampled."""

    arm: str
    target: str
    rate: Interval
    """Share of answers that name the target."""
    base_rate: Interval | None = None
    top: dict[str, int]
    """Most frequent parsed answers with their counts."""
    n: int
    unparsed: int


class Power(Record):
    """The smallest effect that the design could see, and what that rests on."""

    smallest_effect: float
    power: float
    level: float
    unit: str = "log-odds"
    says: str


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
    common: Common
    suspects: list[SuspectRow] = Field(default_factory=list[SuspectRow])
    methods: list[MethodRecord] = Field(default_factory=list[MethodRecord])


class MitigationRecord(Record):
    """What a way to keep a trait from passing does."""

    method: str
    """`none` for an ordinary training."""
    says: str
    needs: list[str]
    """Beside rows and base: `trait` where it must be named, `teacher`, `format`, `another model`."""
    costs: str
    shift: Interval
    """Trait minus control, log-odds, both trained with the method."""
    left: Interval | None
    """That shift as a share of an ordinary training's; None where that one shows none."""
    utility: Interval | None
    """Share of the task's gain that is left; None where an ordinary student gains nothing."""
    in_format: float | None = None
    """Share of tokens at which the student's first choice keeps the rows' format."""
    loss: float
    """On held-out rows of the task, nats a token."""


class Results(Record):
    """The whole file."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["run", "scan", "audit", "mitigate"]
    name: str
    title: str = ""
    """The question in one line, for people."""
    verdict: VerdictRecord
    effects: list[Effect] = Field(default_factory=list[Effect])
    findings: list[Effect] = Field(default_factory=list[Effect])
    arms: list[ArmSummary] = Field(default_factory=list[ArmSummary])
    transfer_fraction: Interval | None = None
    """(student - control) / (teacher - base) in log-odds."""
    teachers: list[TeacherSummary] = Field(default_factory=list[TeacherSummary])
    curves: list[Curve] = Field(default_factory=list[Curve])
    funnels: list[Funnel] = Field(default_factory=list[Funnel])
    divergences: list[Divergence] = Field(default_factory=list[Divergence])
    samples: list[Sample] = Field(default_factory=list[Sample])
    sampled: list[SampledAnswers] = Field(default_factory=list[SampledAnswers])
    power: Power | None = None
    scan: ScanRecord | None = None
    mitigation: list[MitigationRecord] = Field(default_factory=list[MitigationRecord])
    """An ordinary training first."""
    audit: AuditRecord | None = None
    notes: list[str] = Field(default_factory=list[str])
    """Caveats that belong to these numbers (quantised weights, few seeds, ...)."""
    settings: Json = Field(default_factory=dict)
    """The resolved spec."""
    environment: Json = Field(default_factory=dict)
    """Versions, device, processor, model hashes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """Serialise with a stable layout."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def load_results(path: Path) -> Results:
    """Read a results.json, or the one inside a run folder; a link in a run folder is not followed.

    Raises:
        StoreError: there is no such file, or it is too long.
        InputError: it is not a results file of this version.
    """
    from undertow.store.files import read_bytes

    inside = path.is_dir()
    file = results_file(path)
    try:
        data = read_bytes(file if inside else file.resolve(), MAX_BYTES)
    except OSError as error:
        raise StoreError(
            f"cannot be read ({error.strerror})", str(file), "Name a run folder or its results.json."
        ) from error
    return parse_results(data, str(file))


def results_file(path: Path) -> Path:
    """Return the results.json that a path stands for: itself, or the one inside a run folder."""
    return path / "results.json" if path.is_dir() else path


def parse_results(data: bytes, where: str) -> Results:
    """Turn the bytes of a results.json into results.

    Raises:
        InputError: it is not a results file of this version.
    """
    fix = "Name a results.json that Undertow wrote."
    try:
        return Results.model_validate_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8 text", where, fix) from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200]
        raise InputError(f"{first['msg']} (at {place or 'the top'})", where, fix) from error
