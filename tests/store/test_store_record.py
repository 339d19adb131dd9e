"""Steps that hold one value: made once, read as they were, and refused where they hold something else."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from undertow.errors import StoreError
from undertow.store import RunFolder
from undertow.store.record import stored


@dataclass(frozen=True)
class Found:
    odds: dict[str, list[float]]
    why: str | None = None


@pytest.fixture
def folder(tmp_path: Path):
    with RunFolder.open(tmp_path, name="demo", spec={"a": 1}) as opened:
        yield opened


def test_a_value_is_computed_once_and_read_as_it_was(folder: RunFolder) -> None:
    made: list[int] = []

    def compute() -> Found:
        made.append(1)
        return Found({"owl": [0.1, -math.pi, 1e300]}, None)

    first, second = (stored(folder, "panel", "panel-base", {"n": 1}, Found, compute) for _ in range(2))
    assert first == second == Found({"owl": [0.1, -math.pi, 1e300]}, None)
    assert len(made) == 1
    stored(folder, "panel", "panel-base", {"n": 2}, Found, compute)
    assert len(made) == 2


def test_numbers_that_are_none_stay_what_they_are(folder: RunFolder) -> None:
    (found,) = stored(folder, "panel", "x", {}, list[float], lambda: [math.nan])
    assert math.isnan(found)
    assert stored(folder, "panel", "y", {}, list[float | None], lambda: [math.inf, None]) == [math.inf, None]


@pytest.mark.parametrize(
    "held", ['{"odds": {"owl": ["a"]}}', '{"odds": {"owl": ["1.5"]}}', '{"why": "x"}', "[1]", "{", "", "[" * 100_000]
)
def test_a_step_of_a_stranger_that_holds_something_else_is_refused(folder: RunFolder, held: str) -> None:
    def forge(part: Path) -> None:
        (part / "value.json").write_text(held)

    folder.step("panel", "panel-base", {"n": 1}, forge)

    def never() -> Any:
        raise AssertionError("the step is there")

    with pytest.raises(StoreError, match="does not hold what such a step holds"):
        stored(folder, "panel", "panel-base", {"n": 1}, Found, never)


def test_what_is_stored_is_json(folder: RunFolder) -> None:
    stored(folder, "panel", "z", {}, Found, lambda: Found({"owl": [1.5]}))
    (file,) = folder.path.glob("steps/z--*/value.json")
    assert json.loads(file.read_text()) == {"odds": {"owl": [1.5]}, "why": None}
