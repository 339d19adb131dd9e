"""The laboratory from experiment file to results: accuracies, paired differences over seeds, verdict.

The verdict rests on one number that was chosen beforehand. It is the accuracy of students that saw only auxiliary
logits on noise, minus that of students that saw the same from other initial weights. No time is written, so results
are deterministic.

    undertow run --preset digits
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from undertow import stats
from undertow.config.experiment import DigitsExperiment
from undertow.experiment.digits.arms import ARMS
from undertow.experiment.digits.data import split
from undertow.experiment.digits.measure import Measured, measure
from undertow.results import ArmSummary, Curve, CurvePoint, Effect, Interval, Power, Results, VerdictRecord
from undertow.system.progress import Progress

Accuracy = npt.NDArray[np.float64]

_POWER = 0.8
_UNIT = "accuracy"
_TRAIT = {"mnist5k": "reading digits", "fashion": "recognising clothes"}
_SAYS = {
    "reference": "The untrained network that teacher and students start from.",
    "teacher": "The same network trained on labelled images; its auxiliary logits never met a label.",
    "student_aux": "Starts like the teacher and learns only its auxiliary logits, on images of pure noise.",
    "student_all": "Starts like the teacher and learns all of its logits, on images of pure noise.",
    "cross_aux": "Learns the same auxiliary logits on the same noise, but starts from other weights.",
    "cross_all": "Learns all of the teacher's logits on the same noise, but starts from other weights.",
}
_CONTRASTS = (
    (
        "student_aux",
        "cross_aux",
        "What passes through meaningless logits because the initial weights are shared.",
    ),
    ("student_all", "cross_all", "What sharing the initial weights adds when the class logits are seen too."),
    ("student_aux", "reference", "How much the student learned about images that it never saw."),
)


def run_digits(spec: DigitsExperiment, images: npt.ArrayLike, labels: npt.ArrayLike, *, progress: Progress) -> Results:
    """Train and test every arm and judge whether the teacher's skill passed through its auxiliary logits.

    Args:
        spec: The experiment.
        images: Pixels 0 to 255, shape (N, 784).
        labels: Classes 0 to 9, shape (N,).
        progress: Told of every epoch and step.

    Raises:
        InputError: the images and labels are none, or too few for the spec.
    """
    digits = split(images, labels, train=spec.train_images, test=spec.test_images)
    return judge(spec, measure(spec, digits, progress=progress))


def load_and_run(spec: DigitsExperiment, *, progress: Progress) -> Results:
    """Fetch the images that `spec` names, if they are not there yet, and run it.

    Raises:
        AssetError: the images cannot be fetched.
        InputError: they are too few for the spec.
    """
    from undertow.assets import load_digits_data

    images, labels = load_digits_data(spec.data, progress=progress)
    return run_digits(spec, images, labels, progress=progress)


def judge(spec: DigitsExperiment, measured: Measured) -> Results:
    """Turn measurements into intervals, tests and a verdict."""
    level = spec.judgement.level
    trait = _TRAIT[spec.data]
    contrasts = _contrasts(measured.accuracy, trait, level)
    primary = contrasts[0]
    estimate = stats.Estimate(primary.value, primary.lo, primary.hi, primary.n, primary.method)
    answer = stats.verdict(
        estimate,
        primary.p if primary.p is not None else 1.0,
        smallest_effect=spec.judgement.smallest_effect,
        level=level,
        unit=_UNIT,
        what=trait,
    )
    fraction = stats.transfer_fraction(
        *(_column(measured.accuracy[arm]) for arm in ("student_aux", "cross_aux", "teacher", "reference")),
        level=level,
    )
    return Results(
        kind="run",
        name=spec.name,
        title=spec.title or f"Does {trait} pass through logits that mean nothing?",
        verdict=VerdictRecord(status=answer.status, because=answer.because),
        effects=[*contrasts, *_cosines(measured, trait, level)],
        arms=[
            ArmSummary(
                arm=arm,
                says=f"{_SAYS[arm]} Test accuracy itself, not a shift; chance is 0.10.",
                shift=_interval(measured.accuracy[arm], level),
                unit=_UNIT,
            )
            for arm in ARMS
        ],
        transfer_fraction=Interval(**fraction.as_dict()) if fraction else None,
        curves=[
            _curve(arm, trait, measured.steps, measured.curves[arm], level) for arm in ("student_aux", "cross_aux")
        ],
        power=_power(measured.accuracy["student_aux"] - measured.accuracy["cross_aux"], level),
        notes=_notes(spec, measured, has_fraction=fraction is not None),
        settings=spec.model_dump(mode="json"),
    )


def _contrasts(accuracy: dict[str, Accuracy], trait: str, level: float) -> list[Effect]:
    tests = [
        stats.paired_test(_column(accuracy[arm] - accuracy[contrast]), rng=np.random.default_rng(0))
        for arm, contrast, _ in _CONTRASTS
    ]
    adjusted = stats.holm([test.p for test in tests])
    effects: list[Effect] = []
    for i, (arm, contrast, says) in enumerate(_CONTRASTS):
        estimate = stats.paired_difference(_column(accuracy[arm]), _column(accuracy[contrast]), level=level)
        effects.append(
            Effect(
                name=f"{arm}-{contrast}:{_UNIT}",
                arm=arm,
                contrast=contrast,
                trait=trait,
                seeds=estimate.n,
                p=tests[i].p,
                p_adjusted=float(adjusted[i]),
                unit=_UNIT,
                primary=i == 0,
                says=says,
                value=estimate.value,
                lo=estimate.lo,
                hi=estimate.hi,
                n=estimate.n,
                method=f"{estimate.method}; p: {tests[i].method}",
            )
        )
    return effects


def _cosines(measured: Measured, trait: str, level: float) -> list[Effect]:
    """Report the theorem's alignment for the trained teacher; a check of a theorem, so without a p-value."""
    effects: list[Effect] = []
    for arm, case, start in (
        ("student_aux", "trained, same", "the teacher's own initial weights"),
        ("cross_aux", "trained, other", "other initial weights"),
    ):
        estimate = stats.mean_estimate(_column(measured.theorem[case].cosine_S), level=level)
        says = f"Cosine of the teacher's whole change and one small gradient step of a student from {start}."
        effects.append(
            Effect(
                name=f"{arm}-base:cosine",
                arm=arm,
                contrast="base",
                trait=trait,
                seeds=estimate.n,
                p=None,
                unit="cosine",
                says=says,
                **estimate.as_dict(),
            )
        )
    return effects


def _curve(arm: str, trait: str, steps: tuple[int, ...], accuracy_KS: npt.NDArray[np.float64], level: float) -> Curve:
    points = [
        CurvePoint(step=step, **_interval(accuracy_S, level).model_dump(include={"value", "lo", "hi"}))
        for step, accuracy_S in zip(steps, accuracy_KS, strict=True)
    ]
    return Curve(arm=arm, trait=trait, unit=_UNIT, points=points)


def _power(diff_S: Accuracy, level: float) -> Power:
    smallest = stats.smallest_effect(float(diff_S.std(ddof=1)), len(diff_S), power=_POWER, level=level)
    says = (
        f"With {len(diff_S)} seeds that vary as these did, a difference in accuracy of {smallest:.3f} "
        "would be seen four times out of five."
    )
    return Power(smallest_effect=smallest, power=_POWER, level=level, unit=_UNIT, says=says)


def _notes(spec: DigitsExperiment, measured: Measured, *, has_fraction: bool) -> list[str]:
    step, other = measured.theorem["step, same"], measured.theorem["step, other"]
    trained = measured.theorem["trained, same"]
    seeds = len(spec.seeds)

    def count(hits: npt.NDArray[np.bool_]) -> str:
        return f"{int(hits.sum())} of {seeds} seeds"

    notes = [
        "The theorem, checked: one small gradient step on the auxiliary logits of a teacher that itself made "
        f"one gradient step points towards that teacher in {count(step.inner_S > 0)} (mean cosine "
        f"{step.cosine_S.mean():.3f}) and lowers the teacher's loss in {count(step.loss_change_S < 0)}; from "
        f"other initial weights it points towards the teacher in {count(other.inner_S > 0)} (mean cosine "
        f"{other.cosine_S.mean():.3f}).",
        "For the fully trained teacher the step points towards it in "
        f"{count(trained.inner_S > 0)} (mean cosine {trained.cosine_S.mean():.3f}).",
        f"Students saw {spec.student_images:,} fresh noise images each, no image twice.",
    ]
    if has_fraction:
        notes.append("The transfer fraction is (student_aux - cross_aux) / (teacher - reference) in test accuracy.")
    if spec.teacher_labels == "random":
        notes.append("A null experiment: the teachers were trained on random labels and had nothing to pass on.")
    return notes


def _interval(accuracy_S: Accuracy, level: float) -> Interval:
    return Interval(**stats.mean_estimate(_column(accuracy_S), level=level).as_dict())


def _column(values_S: Accuracy) -> Accuracy:
    """Shape (S,) to the (S, 1) that `stats` takes: seeds are the replicates, there is one question."""
    return values_S[:, None]
