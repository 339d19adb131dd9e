"""The calibrations that a scan uses, as `evaluate --records` writes them: what was measured stands beside the numbers.

Ranges and counts come from `cases` and from the committed `truth.jsonl`, coverage from `summary.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.transfer.__main__ import TRUTH
from benchmarks.transfer.cases import LARGE_ROWS
from benchmarks.transfer.truth import BASE, ROWS
from undertow.attribution.prediction import Calibration
from undertow.attribution.recipe import LONGEST, PLAIN_SGD, steps_by
from undertow.models.digests import model_digest
from undertow.scan import calibration as scan_calibration
from undertow.scan.calibration import (
    CalibrationRecord,
    Coverage,
    MeasuredBase,
    MeasuredRows,
    RecipeFamily,
    Teachers,
    Tier,
    family_digest,
)
from undertow.store.files import write_atomic

FOLDER = Path(scan_calibration.__file__).parent / "calibrations"
_COVERED = "report, as shipped: coverage of 90%, full dose"
_WAY: dict[Tier, str] = {"gradient": "gradient", "virtual": "virtual", "beside": "reference"}


def record_of(tier: Tier, fitted: Calibration, summary: dict[str, Any], date: str) -> CalibrationRecord:
    """Return the record of a calibration.

    Args:
        tier: Of predicting.
        fitted: Its numbers.
        summary: What `evaluate` stored: the coverage of these numbers on the held-out half.
        date: Of the fit, as in 2026-11-30.
    """
    way = summary[_WAY[tier]]
    value, lo, hi, datasets = way[_COVERED]
    # Larger sets were held out of every fit, and only the gradients' predictions were made of them.
    large = way.get("report, large", {}).get("coverage of 90%")
    most = LARGE_ROWS if large else ROWS["numbers"]
    notes = ["Sets of the held-out half at full dose. Students and teachers have one base."]
    if large:
        notes.append(
            f"Of {large[3]} held-out sets of {LARGE_ROWS} rows, a quarter by the teacher, 90% intervals for the first "
            f"{LONGEST} steps covered {large[0]:.0%} of the shifts after all {steps_by(LARGE_ROWS, PLAIN_SGD)}."
        )
    return CalibrationRecord(
        id=f"smollm2-135m-plain-sgd-lists-{tier}",
        tier=tier,
        base=MeasuredBase(name=BASE, digest=model_digest(BASE, None)),
        recipes=RecipeFamily(
            recipe=PLAIN_SGD,
            learning_rates=(PLAIN_SGD.learning_rate, PLAIN_SGD.learning_rate),
            digest=family_digest(PLAIN_SGD),
        ),
        rows=MeasuredRows(
            domain="number lists",
            told_by="the grammar of number lists accepts at least half of the answers, token by token",
            rows=(ROWS["numbers"], most),
        ),
        steps=(steps_by(ROWS["numbers"], PLAIN_SGD), steps_by(most, PLAIN_SGD)),
        fitted=Teachers(kind="gradient ascent", count=_teachers(), datasets=way["tune"]["datasets"]["with truth"]),
        slope=round(fitted.slope, 3),
        spread=round(fitted.spread, 3),
        floor=round(fitted.floor, 4),
        coverage=Coverage(level=0.9, value=value, lo=lo, hi=hi, datasets=datasets),
        date=date,
        command="python -m benchmarks.transfer.evaluate --records",
        notes=tuple(notes),
    )


def write_record(record: CalibrationRecord) -> None:
    """Write a record where a scan finds it."""
    write_atomic(FOLDER / f"{record.tier}.json", text_of(record).encode())


def text_of(record: CalibrationRecord) -> str:
    """Return the file of a record."""
    return json.dumps(record.model_dump(mode="json"), indent=1) + "\n"


def _teachers() -> int:
    """Return how many teachers wrote the tuning half's lists."""
    sets = map(json.loads, TRUTH.read_text(encoding="utf-8").splitlines())
    return len({s["target"] for s in sets if (s["half"], s["teacher"], s["domain"]) == ("tune", "climb", "numbers")})
