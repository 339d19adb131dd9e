"""The data model of results.json, which every question writes.

    results.py      the whole file
    records.py      effects, intervals and counts
    runs.py         records of experiments
    scans.py        records of scans
    audits.py       records of audits
    hidden.py       records of hidden states
    mitigations.py  records of comparisons of mitigations
    files.py        reading and checking the file

Reports, gates and the viewer read it, and `--json` prints it. The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.results.audits import (
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
    from undertow.results.files import MAX_BYTES, load_results, parse_results, results_file
    from undertow.results.hidden import HiddenLayer, HiddenShift
    from undertow.results.mitigations import MitigationRecord
    from undertow.results.records import Effect, Interval, Record, RowCounts, TimesAsOften
    from undertow.results.rehearsals import RehearsalRecord, RehearsedTrait
    from undertow.results.results import Json, Results, VerdictRecord
    from undertow.results.runs import (
        ArmSummary,
        Curve,
        CurvePoint,
        Divergence,
        Funnel,
        Power,
        Sample,
        SampledAnswers,
        TeacherSummary,
    )
    from undertow.results.scans import CalibrationNote, Common, MethodRecord, ScanRecord, SuspectRow

__all__ = [
    "MAX_BYTES",
    "ArmSummary",
    "AuditRecord",
    "CalibrationNote",
    "Common",
    "Curve",
    "CurvePoint",
    "Divergence",
    "Effect",
    "Funnel",
    "HiddenLayer",
    "HiddenShift",
    "Interval",
    "Json",
    "LayerReadout",
    "MethodRecord",
    "MitigationRecord",
    "MovedToken",
    "Power",
    "PromptCluster",
    "Record",
    "RehearsalRecord",
    "RehearsedTrait",
    "Results",
    "RowCounts",
    "Sample",
    "SampledAnswers",
    "SamplingPlan",
    "ScanRecord",
    "Steered",
    "SuspectRow",
    "TeacherSummary",
    "TimesAsOften",
    "TracedRows",
    "Unnamed",
    "VerdictRecord",
    "WeightChange",
    "load_results",
    "parse_results",
    "results_file",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "ArmSummary": "runs",
        "AuditRecord": "audits",
        "CalibrationNote": "scans",
        "Common": "scans",
        "Curve": "runs",
        "CurvePoint": "runs",
        "Divergence": "runs",
        "Effect": "records",
        "Funnel": "runs",
        "HiddenLayer": "hidden",
        "HiddenShift": "hidden",
        "Interval": "records",
        "Json": "results",
        "LayerReadout": "audits",
        "MAX_BYTES": "files",
        "MethodRecord": "scans",
        "MitigationRecord": "mitigations",
        "MovedToken": "audits",
        "Power": "runs",
        "PromptCluster": "audits",
        "Record": "records",
        "RehearsalRecord": "rehearsals",
        "RehearsedTrait": "rehearsals",
        "Results": "results",
        "RowCounts": "records",
        "Sample": "runs",
        "SampledAnswers": "runs",
        "SamplingPlan": "audits",
        "ScanRecord": "scans",
        "Steered": "audits",
        "SuspectRow": "scans",
        "TeacherSummary": "runs",
        "TimesAsOften": "records",
        "TracedRows": "audits",
        "Unnamed": "audits",
        "VerdictRecord": "results",
        "WeightChange": "audits",
        "load_results": "files",
        "parse_results": "files",
        "results_file": "files",
    },
)
