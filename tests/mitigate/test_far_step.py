"""A step that goes far beyond the others is said, and can be bounded."""

from __future__ import annotations

import pytest

from undertow.errors import InputError
from undertow.mitigate import MitigationSettings, method_named
from undertow.mitigate.application import far_step

MEASURED = {
    "seed 3": [4.8, 3.7, 3.4, 3.2, 2.6, 2.9, 3.0, 2.7],
    "seed 4": [4.7, 3.8, 3.7, 9.0, 4.6, 3.6, 3.5, 3.2],
    "seed 5": [4.4, 4.6, 5.5, 11.5, 5.0, 3.6, 3.6, 3.4],
}
"""Of clean students (docs/lab-notebook.md); that of seed 5 lies far from the others, that of seed 4 half as far."""


def test_only_a_student_with_a_far_step_is_pointed_out() -> None:
    assert far_step(MEASURED["seed 3"]) == ""
    assert far_step(MEASURED["seed 4"]).startswith("step 4 had a gradient of norm 9")
    assert far_step(MEASURED["seed 5"]).startswith("step 4 had a gradient of norm 11.5 (median 4.5)")
    assert "--clip 5.6" in far_step(MEASURED["seed 5"])
    assert far_step([3.0]) == ""


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan")])
def test_a_clip_is_a_length(clip: float) -> None:
    with pytest.raises(InputError, match="above zero"):
        MitigationSettings(method_named("none"), clip=clip).check()
