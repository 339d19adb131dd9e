from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from undertow.config.experiment import DigitsExperiment, load_preset, parse_spec
from undertow.errors import InputError, SpecError
from undertow.experiment.digits import null_runs, run_digits
from undertow.results import Results
from undertow.system.progress import Silent

Blobs = tuple[np.ndarray, np.ndarray]


class Recorder(Silent):
    def __init__(self) -> None:
        self.fractions: list[float] = []

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        self.fractions.append(fraction)


@pytest.fixture(scope="module")
def many_seeds(blobs: Blobs) -> tuple[Results, Recorder]:
    """Ten seeds, so that two groups are joined; short training."""
    recorder = Recorder()
    return run_digits(brief(), *blobs, progress=recorder), recorder


def brief() -> DigitsExperiment:
    return DigitsExperiment(
        kind="digits",
        name="brief",
        train_images=600,
        test_images=300,
        hidden=(64, 64),
        batch=32,
        learning_rate=1e-3,
        student_images=6400,
        student_batch=64,
        seeds=tuple(range(10)),
    )


def test_results_hold_every_arm_effect_and_curve(many_seeds: tuple[Results, Recorder]) -> None:
    results, _ = many_seeds
    assert [arm.arm for arm in results.arms] == [
        "reference",
        "teacher",
        "student_aux",
        "student_all",
        "cross_aux",
        "cross_all",
    ]
    primary = [effect for effect in results.effects if effect.primary]
    assert [effect.name for effect in primary] == ["student_aux-cross_aux:accuracy"]
    means = {arm.arm: arm.shift.value for arm in results.arms}
    assert primary[0].value == pytest.approx(means["student_aux"] - means["cross_aux"])
    assert primary[0].seeds == primary[0].n == 10
    assert len({effect.name for effect in results.effects}) == len(results.effects)
    for effect in results.effects:
        assert effect.lo <= effect.value <= effect.hi
        assert (effect.p is None) == (effect.unit == "cosine")
        if effect.p is not None:
            assert effect.p_adjusted is not None
            assert effect.p <= effect.p_adjusted <= 1
    assert {curve.arm for curve in results.curves} == {"student_aux", "cross_aux"}
    for curve in results.curves:
        assert len(curve.points) == 13
        assert curve.points[-1].value == pytest.approx(means[curve.arm])
    assert results.settings["seeds"] == list(range(10))
    assert results.verdict.status == "fail"
    assert results.transfer_fraction is not None
    assert 0 < results.transfer_fraction.value < 1


def test_progress_never_goes_back_and_ends(many_seeds: tuple[Results, Recorder]) -> None:
    _, recorder = many_seeds
    assert recorder.fractions == sorted(recorder.fractions)
    assert recorder.fractions[-1] == pytest.approx(1)


def test_the_same_spec_gives_the_same_bytes(blobs: Blobs, small: DigitsExperiment) -> None:
    short = small.model_copy(update={"student_images": 640, "seeds": (0, 1)})
    first = run_digits(short, *blobs, progress=Silent()).to_json()
    assert run_digits(short, *blobs, progress=Silent()).to_json() == first


def test_too_few_images_are_refused_before_anything_is_trained(blobs: Blobs, small: DigitsExperiment) -> None:
    recorder = Recorder()
    with pytest.raises(InputError, match="900 images are too few"):
        run_digits(small.model_copy(update={"train_images": 601}), *blobs, progress=recorder)
    assert not recorder.fractions


def test_the_preset_is_the_documented_default() -> None:
    preset = load_preset("digits")
    assert isinstance(preset, DigitsExperiment)
    assert preset.model_copy(update={"title": ""}) == DigitsExperiment(kind="digits", name="digits")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seeds: [1, 1]", "seeds must not repeat"),
        ("seeds: [1]", "at least 2"),
        ("seeds: [-1, 0]", "at least 0"),
        ("teacher_epochs: 0", "at least 1"),
        ("hidden: [0]", "at least 1"),
        ("teacher_label: random", "did you mean 'teacher_labels'"),
    ],
)
def test_impossible_experiments_are_refused(line: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_spec(f"kind: digits\nname: x\n{line}\n", "x.yaml")


def test_null_runs_take_fresh_seeds_and_count_up(blobs: Blobs, small: DigitsExperiment) -> None:
    short = small.model_copy(update={"student_images": 640, "teacher_epochs": 1})
    null = null_runs(short, *blobs, runs=3, seeds_per_run=2, first_seed=10)
    assert [result.settings["seeds"] for result in null.results] == [[10, 11], [12, 13], [14, 15]]
    assert all(result.settings["teacher_labels"] == "random" for result in null.results)
    assert null.runs == 3
    assert null.share == null.fails / 3
    assert null.stated == pytest.approx(0.025)


@pytest.mark.parametrize(("runs", "seeds", "first"), [(0, 8, 0), (1, 1, 0), (1, 8, -1)])
def test_impossible_null_experiments_are_refused(
    blobs: Blobs, small: DigitsExperiment, runs: int, seeds: int, first: int
) -> None:
    with pytest.raises(InputError, match="null experiment"):
        null_runs(small, *blobs, runs=runs, seeds_per_run=seeds, first_seed=first)


@pytest.mark.slow
def test_twenty_null_runs_fail_no_more_often_than_stated(blobs: Blobs, small: DigitsExperiment) -> None:
    null = null_runs(small, *blobs, runs=20, first_seed=1000)
    chance = scipy_stats.binomtest(null.fails, null.runs, null.stated, alternative="greater").pvalue
    assert chance > 0.01, f"{null.fails} of {null.runs} false fails"
    # The same chain does see an effect where there is one, so the zero above is no blindness.
    seeds = tuple(range(2000, 2008))
    assert run_digits(small.model_copy(update={"seeds": seeds}), *blobs, progress=Silent()).verdict.status == "fail"
