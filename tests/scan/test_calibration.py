"""Calibrations: the records that ship, the look-up with its reasons, and that nothing outside of them decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.transfer.calibrations import record_of
from benchmarks.transfer.evaluate import SUMMARY
from hypothesis import given
from hypothesis import strategies as st

from calibrations import shipped_record
from undertow.attribution.prediction import Shift
from undertow.attribution.recipe import PLAIN_SGD
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.errors import InputError
from undertow.scan.calibration import (
    Calibrated,
    CalibrationRecord,
    NotCalibrated,
    calibration_for,
    family_digest,
    read_calibration,
    shipped,
)
from undertow.scan.verdict import judge
from undertow.stats import Estimate

RECORD = shipped_record()
BASE, DIGEST = RECORD.base.name, RECORD.base.digest
LORA = RecipeSpec(name="lora-sft", schedule="cosine", adapter=AdapterSpec())


def test_the_shipped_records_are_what_the_benchmark_measured() -> None:
    summary = json.loads(SUMMARY.read_text("utf-8"))
    assert {record.tier for record in shipped()} == {"gradient", "virtual", "beside"}
    for record in shipped():
        assert record_of(record.tier, record.calibration, summary, record.date) == record
        fitted = summary["reference" if record.tier == "beside" else record.tier]["calibration"]
        assert record.slope == pytest.approx(fitted["slope"], abs=0.01), "fitted anew it is nearly the same"


@pytest.mark.parametrize("record", shipped(), ids=lambda record: record.tier)
def test_a_record_goes_through_its_file(record: CalibrationRecord, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(record.model_dump_json(), encoding="utf-8")
    assert read_calibration(path) == record


def test_what_was_measured_is_calibrated() -> None:
    found = calibration_for(BASE, DIGEST, PLAIN_SGD, "number lists", 8, "virtual")
    assert found == Calibrated(RECORD)
    assert found.because == ()
    other = PLAIN_SGD.model_copy(update={"name": "mine", "seed": 7, "micro_batch": 4, "dtype": "float32"})
    assert calibration_for(BASE, DIGEST, other, "number lists", 8, "virtual") == found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": "hf/x", "base_digest": "0"}, "base hf/x (measured on embedded/smollm2-135m)"),
        ({"base_digest": "0"}, "base embedded/smollm2-135m (other weights under that name)"),
        (
            {"recipe": LORA},
            "recipe lora-sft (measured on plain-sgd; differs in optimiser adamw, adapter of rank 16, "
            "learning rate 0.0002, clip 1, and 3 more)",
        ),
        (
            {"recipe": PLAIN_SGD.model_copy(update={"name": "mine", "learning_rate": 0.01})},
            "recipe mine (measured on plain-sgd; differs in learning rate 0.01)",
        ),
        (
            {"recipe": PLAIN_SGD.model_copy(update={"dtype": "float16"})},
            "recipe plain-sgd (measured on plain-sgd; differs in dtype float16)",
        ),
        ({"domain": "free text"}, "free text (measured on number lists)"),
        ({"steps": 400}, "400 steps (measured at 8)"),
        ({"steps": 400, "tier": "gradient"}, "400 steps (measured from 8 to 32)"),
        ({"tier": "rehearsal"}, "the tier 'rehearsal', which no calibration covers"),
    ],
)
def test_each_reason_is_said(changes: dict[str, Any], said: str) -> None:
    asked: dict[str, Any] = {
        "base": BASE,
        "base_digest": DIGEST,
        "recipe": PLAIN_SGD,
        "domain": "number lists",
        "steps": 8,
        "tier": "virtual",
    }
    found = calibration_for(**asked | changes)
    assert isinstance(found, NotCalibrated)
    assert found.because == (said,)


def test_every_reason_is_said_at_once_and_the_nearest_record_gives_a_guess() -> None:
    found = calibration_for("hf/x", "0", LORA, "free text", 400, "beside")
    assert len(found.because) == 4
    assert found.record == shipped_record("beside")
    near = RECORD.model_copy(update={"id": "near", "steps": (1, 400)})
    asked = (BASE, DIGEST, PLAIN_SGD, "free text", 400, "virtual")
    assert calibration_for(*asked, records=[RECORD, near]).record == near


def shift(trait: str, value: float, half: float, p: float) -> Shift:
    return Shift(trait, Estimate(value, value - half, value + half, 20, "t"), 0.0, p, p)


SHIFTS = st.builds(
    shift,
    st.sampled_from(["animals:owl", "trees:oak"]),
    st.floats(-2, 2),
    st.floats(0, 3),
    st.floats(0, 1),
)
RECIPES = st.builds(
    RecipeSpec,
    name=st.sampled_from(["mine", "lora-sft"]),
    optimiser=st.sampled_from(["adamw", "sgd"]),
    learning_rate=st.sampled_from([0.003, 0.0030001, 2e-4]),
    clip=st.sampled_from([None, 1.0]),
    weight_decay=st.sampled_from([0.0, 0.1]),
    warmup_steps=st.sampled_from([0, 2]),
    epochs=st.sampled_from([1, 3]),
    batch=st.sampled_from([16, 32]),
    adapter=st.sampled_from([None, AdapterSpec()]),
)


@given(
    shifts=st.lists(SHIFTS, min_size=1, max_size=3),
    digest=st.sampled_from([DIGEST, "0"]),
    recipe=st.one_of(st.just(PLAIN_SGD), RECIPES),
    domain=st.sampled_from(["number lists", "free text"]),
    steps=st.integers(1, 60),
    tier=st.sampled_from(["gradient", "virtual", "beside", "rehearsal"]),
)
def test_outside_of_what_was_measured_nothing_passes_or_fails(
    shifts: list[Shift], digest: str, recipe: RecipeSpec, domain: Any, steps: int, tier: Any
) -> None:
    found = calibration_for(BASE, digest, recipe, domain, steps, tier)
    low, high = shipped_record(tier).steps if tier != "rehearsal" else (1, 0)
    same = recipe.model_copy(update={"name": PLAIN_SGD.name}) == PLAIN_SGD
    inside = digest == DIGEST and same and domain == "number lists" and low <= steps <= high
    assert isinstance(found, Calibrated) is inside
    verdict = judge(shifts, 0.1, 0.95, other_family=False, not_calibrated=found.because)
    if inside:
        assert verdict == judge(shifts, 0.1, 0.95, other_family=False)
    else:
        assert verdict.status == "inconclusive"
        assert verdict.because.startswith(f"not calibrated for {found.because[0]}")
        assert "To decide, " in verdict.because


def test_a_hash_of_a_recipe_is_that_of_what_matters() -> None:
    assert family_digest(PLAIN_SGD) == family_digest(PLAIN_SGD.model_copy(update={"seed": 1, "learning_rate": 0.1}))
    assert family_digest(PLAIN_SGD) != family_digest(PLAIN_SGD.model_copy(update={"clip": 1.0}))


def changed(record: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    *path, last = key.split(".")
    inner = record
    for part in path:
        inner = inner[part]
    inner[last] = value
    return record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: changed(r, "steps", [9, 8]), "steps must rise from 1 or more: 9 to 8"),
        (lambda r: changed(r, "steps", [0, 8]), "steps must rise"),
        (lambda r: changed(r, "spread", -1), "spread: "),
        (lambda r: changed(r, "id", "../x"), "id: "),
        (lambda r: changed(r, "tier", "guess"), "tier: "),
        (lambda r: changed(r, "floors", 1), "unknown key 'floors'"),
        (lambda r: changed(r, "recipes.digest", "0"), "digest is not that of the recipe"),
        (lambda r: changed(r, "recipes.learning_rates", [0.1, 0.2]), "lies outside 0.1 to 0.2"),
        (lambda r: changed(r, "recipes.recipe.clip", 1), "digest is not that of the recipe"),
        (lambda r: [r], "the calibrationrecord"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(change: Callable[[Any], Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(change(json.loads(RECORD.model_dump_json()))), encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.json") as error:
        read_calibration(path)
    assert said in str(error.value)
