"""What this machine offers to Undertow, and which features lack something: `undertow doctor`.

    examination.py  the findings, one a line

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.doctor.examination import Finding, examine

__all__ = ["Finding", "examine"]

__getattr__, __dir__ = lazy(__name__, {"Finding": "examination", "examine": "examination"})
