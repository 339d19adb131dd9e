"""Leave out the rows that carry most of what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from undertow.attribution.row_scores import without_worst
from undertow.data.files import write_rows

if TYPE_CHECKING:
    from undertow.scan.workflow import ScanOutcome


def drop_rows(outcome: ScanOutcome, share: float, out: Path) -> int:
    """Write the rows of a scan but for those that carry most of the strongest shift, and return how many were dropped.

    Rows that are too long to measure are left out too: nothing is known of them.

    Args:
        outcome: A scan of all rows.
        share: Of the rows to drop.
        out: File to write, JSON lines of messages.

    Raises:
        UndertowError: the file cannot be written.
    """
    kept, dropped = without_worst(outcome.rows, np.array(outcome.carried_R), share)
    write_rows(out, kept)
    return dropped
