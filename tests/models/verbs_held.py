"""How far verbs by a model's own pass are from those by the reference: held as data, shown on the page of models.

The tests of the verbs hold them where `UNDERTOW_DOCS=write` is set.
"""

import json
import math
import os
from pathlib import Path

from architectures import ARCHITECTURES
from undertow.models.engine.selection import Pass

HELD = Path(__file__).with_name("verbs.json")
VERBS = ("scan", "audit", "run, whole weights", "comparison", "run, LoRA", "mitigate")


def hold(name: str, verb: str, by: Pass, off: float) -> None:
    """Keep what was measured of an architecture's verb, where that is asked for.

    Args:
        name: Of the architecture.
        verb: One of `VERBS`.
        by: The pass that the model chose.
        off: The largest difference of a number from the reference's.
    """
    assert verb in VERBS
    if os.environ.get("UNDERTOW_DOCS") == "write":
        measured = held()
        measured.setdefault(name, {})[verb] = {"pass": by, "off": float(f"{off:.2g}")}
        HELD.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def held() -> dict[str, dict[str, dict[str, str | float]]]:
    """Return what was measured, by architecture and verb."""
    return json.loads(HELD.read_bytes()) if HELD.is_file() else {}


def power(off: float) -> str:
    """Return the next power of ten, or 0."""
    return f"1e{math.ceil(math.log10(off))}" if off else "0"


def lines() -> list[list[str]]:
    """Return the lines of the table: an architecture, then the largest difference of each verb."""
    return [
        [name, *(power(float(verbs[verb]["off"])) if verb in verbs else "not run" for verb in VERBS)]
        for name in ARCHITECTURES
        for verbs in [held().get(name, {})]
    ]
