"""Hidden states of a run's students: shares, intervals over seeds or teachers, keys and results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from undertow import stats
from undertow.experiment.hidden import hidden_shifts


def scores(share: float) -> dict[str, dict[str, list[float]]]:
    """Sums of a student that took over this share of the teacher's shift and did nothing else, in two layers."""
    return {"hidden": {"dot_L": [4 * share, 9 * share], "along_L": [4.0, 9.0], "own_L": [4 * share**2, 9 * share**2]}}


def test_pairs_by_seed_and_the_interval_is_over_the_seeds() -> None:
    students = {"trait": [scores(0.5), scores(0.7), scores(0.9)], "control": [scores(0.1), scores(0.2), scores(0.6)]}
    (found,) = hidden_shifts(students, 1, 0.95)
    expected = stats.mean_estimate(np.asarray([[0.4], [0.5], [0.3]]))
    assert (found.arm, found.replicates, found.unit) == ("trait", 3, "seeds")
    assert found.interval is not None
    assert (found.value, found.interval.lo, found.interval.hi) == pytest.approx(
        (expected.value, expected.lo, expected.hi)
    )
    for layer in found.layers:
        assert layer.arm_share - layer.control_share == pytest.approx(layer.value)
        assert layer.arm_cosine == pytest.approx(1.0)


def test_seeds_of_one_teacher_are_one_replicate() -> None:
    students = {"trait": [scores(x) for x in (0.5, 0.7, 0.9, 0.3)], "control": [scores(0.1)] * 4}
    (found,) = hidden_shifts(students, 2, 0.95)
    expected = stats.mean_estimate(np.asarray([[0.6], [0.4]]))
    assert (found.replicates, found.unit) == (2, "teachers")
    assert found.interval is not None
    assert found.interval.n == 2
    assert "teachers" in found.interval.method
    assert (found.interval.lo, found.interval.hi) == pytest.approx((expected.lo, expected.hi))


def test_one_replicate_has_no_interval_and_no_movement_is_no_share() -> None:
    (found,) = hidden_shifts({"trait": [scores(0.5)], "control": [scores(0.0)]}, 1, 0.95)
    assert found.interval is None
    assert found.layers[0].interval is None
    assert found.layers[0].control_cosine == 0
    assert hidden_shifts({"trait": [{}], "control": [{}]}, 1, 0.95) == []


@pytest.mark.parametrize(
    "student",
    [
        "{method: full, labels: hard, learning_rate: 0.001, batch: 2}",
        "{method: lora, labels: soft, learning_rate: 0.001, batch: 2}",
    ],
)
def test_a_run_measures_hidden_states_only_where_it_is_told_to(tiny_folder: Path, tmp_path: Path, student: str) -> None:
    pytest.importorskip("torch")
    from tiny_run import spec_text
    from undertow.config.experiment import parse_spec
    from undertow.experiment import plan, run
    from undertow.results import load_results

    def spec(probe: str):
        return parse_spec(spec_text(tiny_folder, arms="[trait, control]", student=student, probe=probe), "test")

    plain = plan(spec("{every: 0, hidden: false}"), root=tmp_path)
    told = spec("{every: 0, hidden: true}")
    assert "hidden" not in spec("{every: 0, hidden: false}").probe.model_dump(mode="json")
    outcome = run(told, root=tmp_path)
    (found,) = load_results(outcome.folder).hidden
    assert found.replicates == 2
    assert found.interval is not None
    assert all(layer.arm_share != 0 and abs(layer.arm_cosine) <= 1 + 1e-9 for layer in found.layers)
    stored = json.loads(next(outcome.folder.glob("steps/student-trait-s0--*/scores.json")).read_text())["hidden"]
    assert {len(each) for each in stored.values()} == {len(found.layers)}
    assert {step.label for step in plan(told, root=tmp_path).steps} == {step.label for step in plain.steps}
