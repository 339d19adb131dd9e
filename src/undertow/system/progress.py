"""How long work tells the outside how far it is: a protocol, and the silent default.

The library never prints; the command line passes an implementation that draws a bar with the time left.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the state of the work. One stage is active at a time; `fraction` concerns the whole run.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import ScanSettings, scan
        >>> class Lines:
        ...     def update(self, stage, fraction, detail=""):
        ...         if detail == "done":
        ...             print(stage, fraction)
        ...     def note(self, message):
        ...         print(message)
        >>> settings = ScanSettings(student="hf/base", traits=("curtness",))
        >>> outcome = scan(Path("rows.jsonl"), settings, progress=Lines())
        scan 1.0
    """

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        """Report that the run is in `stage`, and that `fraction` (0 to 1) of all its work is done."""
        ...

    def note(self, message: str) -> None:
        """Pass on one line that a user should see and keep."""
        ...


class Silent:
    """Drops everything."""

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""
