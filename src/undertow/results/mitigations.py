"""What the results of a comparison of mitigations hold."""

from __future__ import annotations

from undertow.results.records import Interval, Record


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
