"""What this machine offers to Undertow, and what is missing for what: `undertow doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.doctor.examination import Finding, examine

__all__ = ["Finding", "examine"]

__getattr__, __dir__ = lazy(__name__, {"Finding": "examination", "examine": "examination"})
