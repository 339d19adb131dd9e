"""Predict what a dataset does to a student, before any training. Start at `workflow.py`.

    workflow.py             `scan`: from rows to results, as a run folder
    settings.py             the settings of a scan
    budget.py               how many rows a scan reads within a time budget
    virtual_students.py     which virtual students are trained, and what they predict together
    virtual.py              one virtual student
    baselines.py            other methods on the same rows
    baseline_statistics.py  their statistics
    baseline_scores.py      their forward passes
    teacher_inference.py    which trait the teacher of the rows had, from likelihoods
    calibration.py          where sizes are calibrated, as records in calibrations/, and the look-up of one
    rehearsal.py            students that are really trained: cost, result and verdict
    lineage.py              whether a model of the student's family wrote the rows
    gather.py               from measurements to results
    effects.py              a finding as results hold it
    verdict.py              whether the rows would change a student
    sarif.py                findings in SARIF
    drop.py                 a dataset without the rows that carry most of a shift

    from undertow import ScanSettings, scan
    scan(Path("rows.jsonl"), ScanSettings(student="embedded/smollm2-135m")).results.verdict

The names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy, make_callable

if TYPE_CHECKING:
    from undertow.scan.calibration import CalibrationRecord, calibration_for, read_calibration
    from undertow.scan.drop import drop_rows
    from undertow.scan.sarif import to_sarif
    from undertow.scan.settings import ScanSettings
    from undertow.scan.workflow import ScanOutcome, scan

__all__ = [
    "CalibrationRecord",
    "ScanOutcome",
    "ScanSettings",
    "calibration_for",
    "drop_rows",
    "read_calibration",
    "scan",
    "to_sarif",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "CalibrationRecord": "calibration",
        "calibration_for": "calibration",
        "read_calibration": "calibration",
        "drop_rows": "drop",
        "to_sarif": "sarif",
        "ScanOutcome": "workflow",
        "ScanSettings": "settings",
        "scan": "workflow",
    },
)
make_callable(__name__)
