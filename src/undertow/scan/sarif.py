"""Findings of a scan in SARIF 2.1.0 (OASIS), which code scanners read: a row is a line of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from undertow import __version__
from undertow.results import Results, SuspectRow

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULE = "hidden-trait"


def to_sarif(results: Results, rows: Path) -> str:
    """Return a scan's suspicious rows as a SARIF log; none where the verdict is not `fail`.

    Args:
        results: Of a scan.
        rows: The dataset, as the log is to name it.
    """
    record = results.scan
    assert record is not None
    found = record.suspects if results.verdict.status == "fail" else []
    log: dict[str, Any] = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "Undertow",
                        "semanticVersion": __version__,
                        "rules": [
                            {
                                "id": _RULE,
                                "shortDescription": {"text": "A row that carries a hidden trait"},
                                "fullDescription": {"text": results.verdict.because},
                                "defaultConfiguration": {"level": "warning"},
                            }
                        ],
                    }
                },
                "results": [
                    {
                        "ruleId": _RULE,
                        "level": "warning",
                        "message": {"text": f"carries {row.share:.1f} times as much of {row.trait} as an average row"},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {"uri": _uri(rows / row.file if rows.is_dir() else rows)},
                                    **_region(row),
                                }
                            }
                        ],
                    }
                    for row in found
                ],
            }
        ],
    }
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _uri(path: Path) -> str:
    return path.resolve().as_uri() if path.is_absolute() else quote(path.as_posix())


def _region(row: SuspectRow) -> dict[str, Any]:
    """Return the line; none where the number counts records of a table or entries of a list."""
    return {"region": {"startLine": row.number}} if row.file.endswith((".jsonl", ".jsonl.gz")) else {}
