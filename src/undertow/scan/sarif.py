"""Findings of a scan in SARIF 2.1.0: a row is a line of a file."""

from __future__ import annotations

from pathlib import Path

from undertow.report.sarif import row_rule, sarif_log, suspects_in
from undertow.results import Results


def to_sarif(results: Results, rows: Path) -> str:
    """Return a scan's suspicious rows as a SARIF log; none where the verdict is not `fail`.

    Args:
        results: Of a scan.
        rows: The dataset, as the log is to name it.
    """
    found = suspects_in(results, rows) if results.verdict.status == "fail" else []
    return sarif_log([row_rule(results)], found, about=f"scan/{rows.as_posix()}")
