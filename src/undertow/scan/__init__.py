"""Say before training what a dataset will do to a student. Start at `workflow`.

    reading      which rows are looked at
    sampling     how they seem to have been written
    directions   where traits lie in the base's weights
    features     what is computed of every row
    prediction   from rows to shifts with intervals
    agreement    what the rows have in common, named or not
    lineage      whether the student's family wrote them
    gather       results

The names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy, make_callable

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
make_callable(__name__)
