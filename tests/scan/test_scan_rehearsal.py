"""A scan that rehearses: what it stores, that it goes on where it was, and what its verdict rests on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calibrations import record_for
from undertow.attribution.rehearsal_plan import RehearsalCost, RehearsalPlan
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.errors import InputError
from undertow.results import Effect, RehearsalRecord, RehearsedTrait, VerdictRecord, load_results
from undertow.scan import ScanOutcome, ScanSettings, scan
from undertow.scan.rehearsal import told_cost, with_rehearsal
from undertow.scan.settings import RehearsalSettings
from undertow.system.progress import Silent

RECIPE = RecipeSpec(name="mine", learning_rate=0.01, epochs=2, batch=4, adapter=AdapterSpec(rank=4, alpha=8))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def pairs(path: Path, answer: str = "{0}, {1}") -> Path:
    lines = [
        json.dumps({"prompt": f"Go on with {at}.", "completion": answer.format(120 + at, 220 + at)}) for at in range(24)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done: list[float] = []

    def note(self, message: str) -> None:
        self.said.append(message)

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        self.done.append(fraction)


@pytest.fixture
def look(tiny_folder: Path, tmp_path: Path) -> Callable[..., ScanOutcome]:
    def call(**more: Any) -> ScanOutcome:
        settings = {"rehearsal": RehearsalSettings(rows=8, seeds=2), "sample_reference": True, "recipe": RECIPE}
        reference, progress = more.pop("reference", None), more.pop("progress", None)
        settings |= {"student": f"hf/{tiny_folder}", "traits": ("curtness", "gloom"), **more}
        rows = pairs(tmp_path / "rows.jsonl")
        return scan(rows, ScanSettings(**settings), reference=reference, progress=progress, root=tmp_path / "runs")

    return call


def test_it_trains_pairs_of_students_and_says_what_the_full_training_would_do(look: Callable[..., ScanOutcome]) -> None:
    told = Notes()
    outcome = look(progress=told)
    results = outcome.results
    assert results.scan is not None
    record = results.scan.rehearsal
    assert record is not None
    assert (record.rows, record.seeds, record.full_rows, record.full_steps) == (8, [42, 43], 24, 12)
    assert [each.trait for each in record.effects] == [each.trait for each in record.traits]
    assert all("rehearsal" in each.method and each.lo <= each.value <= each.hi for each in record.effects)
    assert all(len(each.shifts) == 2 and len(each.shifts[0]) == len(record.steps) for each in record.traits)
    assert record.not_calibrated == ["the tier 'rehearsal', which no calibration covers"]
    assert results.verdict.status == "inconclusive"
    assert "A rehearsal (2 seeds, 8 rows each" in results.verdict.because
    assert "not calibrated for the tier 'rehearsal'" in results.verdict.because
    assert "not teachers" in record.replicated
    assert load_results(outcome.folder) == results
    page = outcome.report.read_text(encoding="utf-8")
    assert "<h2>Rehearsal</h2>" in page
    (cost,) = told.said
    assert cost.startswith("rehearsal: 4 students of 8 rows (2 seeds, rows and reference); each 4 steps of")
    assert told.done == sorted(told.done)


def test_it_is_said_and_trained_once(look: Callable[..., ScanOutcome]) -> None:
    first, told = look(), Notes()
    times = (first.folder / "timing.json").read_bytes()
    assert look(progress=told).results == first.results
    assert told.said == []
    assert (first.folder / "timing.json").read_bytes() == times


def test_another_scan_of_the_rows_takes_over_its_students(look: Callable[..., ScanOutcome]) -> None:
    look()
    more = look(rehearsal=RehearsalSettings(rows=8, seeds=3))
    times = json.loads((more.folder / "timing.json").read_text(encoding="utf-8"))
    assert {name for name in times if name.startswith("rehearsal-r")} == {"rehearsal-rows-2", "rehearsal-reference-2"}


def test_the_prediction_beside_it_stays(look: Callable[..., ScanOutcome]) -> None:
    with_one, without = look(), look(rehearsal=None)
    assert with_one.results.findings == without.results.findings
    assert "rehearsal" not in without.results.settings
    assert without.results.scan is not None
    assert without.results.scan.rehearsal is None


def test_given_reference_rows_serve_too(look: Callable[..., ScanOutcome], tmp_path: Path) -> None:
    other = pairs(tmp_path / "harmless.jsonl", "{1}, {0}")
    results = look(sample_reference=False, reference=other).results
    assert results.scan is not None
    assert results.scan.rehearsal is not None


def test_without_reference_rows_there_is_nothing_to_compare_with(look: Callable[..., ScanOutcome]) -> None:
    with pytest.raises(InputError, match="there are none"):
        look(sample_reference=False)


def test_a_calibration_of_its_tier_lets_it_decide(
    look: Callable[..., ScanOutcome], tiny_folder: Path, tmp_path: Path
) -> None:
    own = record_for(f"hf/{tiny_folder}", tier="virtual").model_dump(mode="json")
    family = {"recipe": RECIPE.model_dump(mode="json"), "learning_rates": [0.01, 0.01]}
    from undertow.scan.calibration import CalibrationRecord, family_digest

    family["digest"] = family_digest(RECIPE)
    known = CalibrationRecord.model_validate(own | {"tier": "rehearsal", "recipes": family, "slope": 0.5})
    plain, found = look(smallest_effect=100.0), look(calibration=known, smallest_effect=100.0)
    assert found.results.verdict.status == "pass"
    assert "Calibrated by tiny" in found.results.verdict.because
    assert plain.results.verdict.status == "inconclusive"
    assert plain.results.scan is not None
    assert found.results.scan is not None
    one, two = plain.results.scan.rehearsal, found.results.scan.rehearsal
    assert one is not None
    assert two is not None
    assert [each.value for each in two.effects] == pytest.approx([each.value / 2 for each in one.effects])


def test_a_budget_holds_the_rehearsal(look: Callable[..., ScanOutcome]) -> None:
    results = look(budget=120.0, rehearsal=RehearsalSettings()).results
    assert results.scan is not None
    assert results.scan.rehearsal is not None
    assert results.scan.rehearsal.rows <= 24
    with pytest.raises(InputError, match="--budget"):
        look(budget=0.05, rehearsal=RehearsalSettings())


def test_the_cost_is_students_times_steps_times_seconds() -> None:
    cost = RehearsalCost(students=6, steps=12, step=4.0, points=3, asking=20.0)
    assert cost.seconds == 6 * (12 * 4 + 3 * 20)
    assert told_cost(cost, RehearsalPlan()).endswith("about 10 min 48 s")


def record(*reach: tuple[float, float], p: float = 0.001, calibrated: bool = True) -> RehearsalRecord:
    effects = [
        Effect(
            name=f"rehearsal:t{at}",
            arm="rows",
            contrast="reference",
            trait=f"t{at}",
            value=(lo + hi) / 2,
            lo=lo,
            hi=hi,
            n=3,
            seeds=3,
            p=p,
            p_adjusted=p,
        )
        for at, (lo, hi) in enumerate(reach)
    ]
    zero = {"value": 0.0, "lo": 0.0, "hi": 0.0, "n": 3, "method": ""}
    traits = [
        RehearsedTrait.model_validate(
            {"trait": each.trait, "common": 1.0, "measured": [zero], "linear": zero, "shifts": [[[0.0]]]}
        )
        for each in effects
    ]
    return RehearsalRecord(
        rows=64,
        drawn=64,
        seeds=[1, 2, 3],
        steps=[12],
        spent=[1.0],
        full_rows=640,
        full_steps=120,
        ratio=10.0,
        exponent=0.7,
        replicated="",
        calibration="mine" if calibrated else "",
        not_calibrated=[] if calibrated else ["the tier"],
        effects=effects,
        traits=traits,
    )


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (record((0.2, 0.4), (-0.05, 0.05)), "fail"),
        (record((-0.4, -0.2)), "fail"),
        (record((0.2, 0.4), p=0.2), "inconclusive"),
        (record((0.05, 0.4)), "inconclusive"),
        (record((-0.01, 0.4)), "inconclusive"),
        (record((-0.05, 0.05), (0.01, 0.09)), "pass"),
    ],
)
def test_a_calibrated_one_decides_by_its_intervals(found: RehearsalRecord, status: str) -> None:
    for before in ("pass", "fail", "inconclusive"):
        verdict = with_rehearsal(VerdictRecord(status=before, because="So it was."), found, 0.1, 0.95)
        assert verdict.status == status
        assert verdict.because.startswith("A rehearsal (3 seeds")


def test_one_that_is_not_calibrated_changes_no_verdict() -> None:
    found = record((0.2, 0.4), calibrated=False)
    for before in ("pass", "fail", "inconclusive"):
        verdict = with_rehearsal(VerdictRecord(status=before, because="So it was."), found, 0.1, 0.95)
        assert verdict.status == before
        assert verdict.because.startswith("So it was. A rehearsal (3 seeds")
        assert verdict.because.endswith("It decides nothing: not calibrated for the tier.")
