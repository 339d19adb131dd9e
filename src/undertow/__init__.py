"""Undertow measures, predicts and prevents hidden trait transfer in model distillation.

The public names load on first use, so that `import undertow` stays cheap. The packages `scan`, `audit`, `mitigate` and
`gate` are called like functions: `undertow.scan(path, settings)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy
from undertow.system.version import __version__

if TYPE_CHECKING:
    from undertow.audit import AuditOutcome, AuditSettings, Prices, Sources, audit
    from undertow.config.experiment import DigitsExperiment, Experiment, LanguageExperiment, load_preset, load_spec
    from undertow.config.policy import Policy
    from undertow.data.files import BadRow, read_rows
    from undertow.data.rows import Row
    from undertow.errors import (
        AssetError,
        InputError,
        MissingExtraError,
        ModelError,
        OutOfMemoryError,
        RowError,
        SandboxError,
        SpecError,
        StoreError,
        TeacherError,
        UndertowError,
    )
    from undertow.experiment import Plan, RunOutcome, plan, run
    from undertow.gate import Decision, gate
    from undertow.mitigate import CompareOutcome, MitigationSettings, mitigate
    from undertow.mitigate import compare as compare_mitigations
    from undertow.results import Results, load_results
    from undertow.scan import ScanOutcome, ScanSettings, scan
    from undertow.stats import Estimate, Verdict
    from undertow.system.progress import Progress

__all__ = [
    "AssetError",
    "AuditOutcome",
    "AuditSettings",
    "BadRow",
    "CompareOutcome",
    "Decision",
    "DigitsExperiment",
    "Estimate",
    "Experiment",
    "InputError",
    "LanguageExperiment",
    "MissingExtraError",
    "MitigationSettings",
    "ModelError",
    "OutOfMemoryError",
    "Plan",
    "Policy",
    "Prices",
    "Progress",
    "Results",
    "Row",
    "RowError",
    "RunOutcome",
    "SandboxError",
    "ScanOutcome",
    "ScanSettings",
    "Sources",
    "SpecError",
    "StoreError",
    "TeacherError",
    "UndertowError",
    "Verdict",
    "__version__",
    "audit",
    "compare_mitigations",
    "gate",
    "load_preset",
    "load_results",
    "load_spec",
    "mitigate",
    "plan",
    "read_rows",
    "run",
    "scan",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "audit": "audit",
        "AuditOutcome": "audit",
        "AuditSettings": "audit",
        "Prices": "audit",
        "Sources": "audit",
        "DigitsExperiment": "config.experiment",
        "Experiment": "config.experiment",
        "LanguageExperiment": "config.experiment",
        "load_preset": "config.experiment",
        "load_spec": "config.experiment",
        "Policy": "config.policy",
        "BadRow": "data.files",
        "read_rows": "data.files",
        "Row": "data.rows",
        "AssetError": "errors",
        "InputError": "errors",
        "MissingExtraError": "errors",
        "ModelError": "errors",
        "OutOfMemoryError": "errors",
        "RowError": "errors",
        "SandboxError": "errors",
        "SpecError": "errors",
        "StoreError": "errors",
        "TeacherError": "errors",
        "UndertowError": "errors",
        "Plan": "experiment",
        "RunOutcome": "experiment",
        "plan": "experiment",
        "run": "experiment",
        "Decision": "gate",
        "gate": "gate",
        "CompareOutcome": "mitigate",
        "MitigationSettings": "mitigate",
        "compare_mitigations": "mitigate:compare",
        "mitigate": "mitigate",
        "Results": "results",
        "load_results": "results",
        "ScanOutcome": "scan",
        "ScanSettings": "scan",
        "scan": "scan",
        "Estimate": "stats",
        "Verdict": "stats",
        "Progress": "system.progress",
    },
)
