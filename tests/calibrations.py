"""Calibrations for tests: the shipped ones, and copies of them that hold for another model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undertow.models.identity import identity_of
from undertow.scan.calibration import CalibrationRecord, Tier, shipped


def shipped_record(tier: Tier = "virtual") -> CalibrationRecord:
    return next(record for record in shipped() if record.tier == tier)


def record_for(student: str, tier: Tier = "virtual", **changes: Any) -> CalibrationRecord:
    """Return the shipped calibration of a tier as one of a student's, for up to a hundred steps."""
    known = shipped_record(tier).model_dump(mode="json")
    base = {"name": student, "digest": identity_of(student)}
    return CalibrationRecord.model_validate(known | {"id": "tiny", "base": base, "steps": [1, 100]} | changes)


def calibration_file(path: Path, student: str, tier: Tier = "virtual", **changes: Any) -> Path:
    path.write_text(record_for(student, tier, **changes).model_dump_json(), encoding="utf-8")
    return path
