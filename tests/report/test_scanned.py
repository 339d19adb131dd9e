"""What the section of a scan says of its student and of its sizes."""

from __future__ import annotations

from typing import Any

import pytest

from stored_results import scan
from undertow.report.limits import Limits
from undertow.report.scanned import scanned
from undertow.results import CalibrationNote


def facts(**changes: Any) -> dict[str, str]:
    results = scan()
    assert results.scan is not None
    section = scanned(results.model_copy(update={"scan": results.scan.model_copy(update=changes)}), Limits())
    assert section is not None
    return dict(section.facts)


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ([], "mine-lists"),
        (
            ["base hf/x (measured on y)", "400 steps (measured at 8)"],
            "not calibrated for base hf/x (measured on y); not calibrated for 400 steps (measured at 8)",
        ),
    ],
)
def test_sizes_have_a_calibration_or_the_reasons(reasons: list[str], said: str) -> None:
    note = CalibrationNote(id="mine-lists", tier="virtual", not_calibrated=reasons)
    told = facts(calibration=note, recipe="plain-sgd: SGD on all weights")
    assert told["Sizes"] == said
    assert told["Student"] == "by the recipe plain-sgd: SGD on all weights"


def test_scans_from_before_say_nothing_of_them() -> None:
    bare = facts(recipe="", calibration=None, steps=None, steps_covered=None)
    assert not {"Sizes", "Student", "Steps", "Provenance"} & bare.keys()
    assert facts(provenance="somebody")["Provenance"] == "somebody"
    assert facts(steps=100, steps_covered=24)["Steps"] == "24 of 100 predicted"
