"""Predict what a dataset would do to a student, before training. Start at `workflow`.

    settings.py              what a user sets
    budget.py                rows and virtual students for a budget of time
    virtual.py               one virtual student
    virtual_students.py      the virtual students of a scan
    calibration.py           constants of the predictions, fitted on the benchmark
    baselines.py             other methods, run on request
    baseline_scores.py       their scores of rows
    baseline_statistics.py   from their scores to intervals and p-values
    teacher_inference.py     which trait's teacher wrote the rows
    gather.py                results and the verdict
    drop.py                  a dataset without its strongest rows
    sarif.py                 findings for code scanners

`attribution` holds what a scan shares with an audit: the sampling of rows, gradients, directions, lineage and
predictions.

The names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.scan.drop import drop_rows
    from undertow.scan.sarif import to_sarif
    from undertow.scan.settings import ScanSettings
    from undertow.scan.workflow import ScanOutcome, scan

__all__ = ["ScanOutcome", "ScanSettings", "drop_rows", "scan", "to_sarif"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "drop_rows": "drop",
        "to_sarif": "sarif",
        "ScanOutcome": "workflow",
        "ScanSettings": "settings",
        "scan": "workflow",
    },
)
