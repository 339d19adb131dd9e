"""results.json: what every verb writes, `--json` prints, and report, gate and viewer read.

Every field that a report shows is in here, so that a report can be made again from this file alone. It holds no time
of day and no duration (those are in timing.json), so that the same spec gives the same bytes.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, ConfigDict, Field

from undertow.results.audits import AuditRecord
from undertow.results.hidden import HiddenShift
from undertow.results.mitigations import MitigationRecord
from undertow.results.records import Effect, Interval, Record
from undertow.results.runs import (
    ArmSummary,
    Curve,
    Divergence,
    Funnel,
    Power,
    Sample,
    SampledAnswers,
    TeacherSummary,
)
from undertow.results.scans import ScanRecord


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


class VerdictRecord(Record):
    """The answer, and the reason for it."""

    status: Literal["pass", "fail", "inconclusive"]
    because: str


class Results(Record):
    """What a run, a scan, an audit or a comparison found: the whole of results.json.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import load_results
        >>> results = load_results(Path("run"))
        >>> [effect.name for effect in results.effects]
        ['trait-control:owl']
        >>> results.effects[0].lo < results.effects[0].value < results.effects[0].hi
        True
    """

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
    elevation: Interval | None = None
    """How far the trait moves beyond what its students do to any candidate and what any student does to it, see
    `undertow.stats.confusion`; log-odds."""
    teachers: list[TeacherSummary] = Field(default_factory=list[TeacherSummary])
    curves: list[Curve] = Field(default_factory=list[Curve])
    funnels: list[Funnel] = Field(default_factory=list[Funnel])
    divergences: list[Divergence] = Field(default_factory=list[Divergence])
    samples: list[Sample] = Field(default_factory=list[Sample])
    sampled: list[SampledAnswers] = Field(default_factory=list[SampledAnswers])
    hidden: list[HiddenShift] = Field(default_factory=list[HiddenShift])
    """Shifts of hidden states, an entry for each arm but the control."""
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
