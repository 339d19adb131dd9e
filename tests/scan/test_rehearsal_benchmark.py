"""The benchmark of rehearsals: questions that no scan asks, and a comparison with a closed form."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.rehearsal.__main__ import HeldOut
from benchmarks.rehearsal.compare import compared, shown

from undertow.probes.panel import QUESTIONS, spread
from undertow.stats import Estimate
from undertow.stats.growth import Grown
from undertow.traits.panel import load_panel


def test_students_are_asked_what_no_scan_asks() -> None:
    for entry in load_panel():
        held = HeldOut(entry.name, entry.kind, entry.about, entry.traits)
        asked = {entry.probe[at].question for at in spread(entry.probe, QUESTIONS)}
        others = [choice.question for choice in held.probe]
        assert len(others) == len(entry.probe) - QUESTIONS
        assert asked.isdisjoint(others)


def exactly(value: float, half: float = 0.1) -> Estimate:
    return Estimate(value, value - half, value + half, 3, "")


def test_errors_are_those_of_each_way_and_intervals_hold_what_they_hold() -> None:
    grown = [
        Grown(exactly(0.1), exactly(1.0), exactly(0.5), 0.01, 0.02),
        Grown(exactly(-0.2), exactly(-2.0), exactly(-1.0), 0.01, 0.02),
    ]
    truth = [np.full((2, 3), 0.5), np.full((2, 3), -0.25)]
    record = compared(["a:b", "c:d"], grown, truth)
    assert record["error"] == {
        "nothing": pytest.approx(((0.5**2 + 0.25**2) / 2) ** 0.5, abs=1e-4),
        "no growth": pytest.approx(((0.4**2 + 0.05**2) / 2) ** 0.5, abs=1e-4),
        "linear growth": pytest.approx(((0.5**2 + 1.75**2) / 2) ** 0.5, abs=1e-4),
        "growth curve": pytest.approx((0.75**2 / 2) ** 0.5, abs=1e-4),
    }
    assert record["held"] == {"growth curve": 0.5, "no growth": 0.5}
    assert shown(record, "c:d").splitlines()[1].startswith("c:d")
