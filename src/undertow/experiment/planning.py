"""The plan of a run: its steps, its time and the smallest effect that it can show.

Time is estimated from operations and from this machine's speed of multiplying matrices, measured for a third of a
second. The smallest effect assumes a standard deviation over seeds, and the plan names it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from undertow import stats
from undertow.config.experiment import DigitsExperiment, Experiment, LanguageExperiment
from undertow.errors import AssetError
from undertow.experiment.digits.cost import operations
from undertow.experiment.effects import POWER, SD_OF_SEEDS
from undertow.store.folder import planned_folder, planned_state

_DIGITS_SD = 0.09
"""Standard deviation over seeds of student_aux - cross_aux accuracy: 0.086 in the 8 seeds of `docs/results.md`."""


class PlannedStep(BaseModel):
    """One step of a run."""

    model_config = ConfigDict(frozen=True)

    kind: str
    label: str
    state: Literal["done", "missing"]
    seconds: float
    """On this machine, whether it is done or not."""


class Plan(BaseModel):
    """Everything that is known of a run beforehand: what `plan` returns.

    Examples:
        >>> from undertow import load_preset, plan
        >>> planned = plan(load_preset("digits"))
        >>> planned.unit, planned.disk_bytes
        ('accuracy', 100000)
    """

    model_config = ConfigDict(frozen=True)

    name: str
    folder: str
    steps: list[PlannedStep]
    seconds: float
    """The whole run."""
    seconds_left: float
    speed_says: str
    tokens_written: int
    tokens_trained: int
    disk_bytes: int
    smallest_effect: float | None
    """Seen four times out of five; None where a single seed has no spread."""
    unit: str
    power_says: str
    notes: list[str]


def plan(spec: Experiment, *, root: Path = Path("runs")) -> Plan:
    """Say what a run will do, take and be able to see. Nothing is written or fetched.

    Args:
        spec: The experiment.
        root: Where run folders lie.

    Returns:
        Steps, time, disk space and the minimum detectable effect.

    Raises:
        UndertowError: The spec names something that does not exist.

    Examples:
        >>> from undertow import load_preset, plan
        >>> planned = plan(load_preset("digits"))
        >>> [step.label for step in planned.steps]
        ['digits']
        >>> round(planned.smallest_effect, 2)
        0.1
    """
    return _plan_digits(spec, root) if isinstance(spec, DigitsExperiment) else _plan_language(spec, root)


def _plan_digits(spec: DigitsExperiment, root: Path) -> Plan:
    folder = planned_folder(root, spec.name, spec.model_dump(mode="json"))
    state = planned_state(folder, [("digits", "digits", spec.model_dump(mode="json"))])
    speed, speed_says = machine_speed()
    seconds = operations(spec) / speed
    step = PlannedStep(kind="digits", label="digits", state=state[0], seconds=seconds)
    smallest = _smallest(_DIGITS_SD, len(spec.seeds), spec.judgement.level)
    return Plan(
        name=spec.name,
        folder=str(folder),
        steps=[step],
        seconds=seconds,
        seconds_left=seconds if state[0] == "missing" else 0.0,
        speed_says=speed_says,
        tokens_written=0,
        tokens_trained=0,
        disk_bytes=100_000,
        smallest_effect=smallest,
        unit="accuracy",
        power_says=_power_says(len(spec.seeds), _DIGITS_SD),
        notes=[],
    )


def _plan_language(spec: LanguageExperiment, root: Path) -> Plan:
    from undertow.models.local import find_model
    from undertow.models.precision import choose_precision
    from undertow.pipeline.arms import traits_of
    from undertow.pipeline.asking import is_open, with_samples
    from undertow.pipeline.bases import base_of, models_of
    from undertow.pipeline.cost import Cost
    from undertow.pipeline.graph import tasks_of
    from undertow.pipeline.recipes import recipe_notes

    notes: list[str] = recipe_notes(spec.student)
    left_open, spec = is_open(spec), with_samples(spec)
    if left_open:
        notes.append(_samples_say(spec.probe.samples))
    sources: dict[str, Path | None] = {}
    for name in models_of(spec):
        try:
            sources[name] = find_model(name, fetching=False)
        except AssetError as error:
            sources[name] = None
            notes.append(f"{error.what}: the run fetches it first.")
    precision = choose_precision()
    notes.append(f"Training multiplies in {precision.dtype}: {precision.because}.")
    bases = [base_of(name, source) for name, source in sources.items()]
    tasks = tasks_of(spec, traits_of(spec), bases, precision)
    folder = planned_folder(root, spec.name, spec.model_dump(mode="json"))
    states = planned_state(folder, [(task.kind, task.label, task.key) for task in tasks])
    speed, speed_says = machine_speed()
    steps = [
        PlannedStep(kind=task.kind, label=task.label, state=state, seconds=task.cost.operations / speed)
        for task, state in zip(tasks, states, strict=True)
    ]
    total = sum((task.cost for task in tasks), Cost())
    seeds = len(spec.seeds)
    return Plan(
        name=spec.name,
        folder=str(folder),
        steps=steps,
        seconds=sum(step.seconds for step in steps),
        seconds_left=sum(step.seconds for step in steps if step.state == "missing"),
        speed_says=speed_says,
        tokens_written=total.written,
        tokens_trained=total.trained,
        disk_bytes=total.disk,
        smallest_effect=_smallest(SD_OF_SEEDS, seeds, spec.judgement.level),
        unit="log-odds",
        power_says=_power_says(seeds, SD_OF_SEEDS),
        notes=notes,
    )


def _samples_say(samples: int) -> str:
    if not samples:
        return "No answers are sampled: they would cost a fifth of the run or more, or the trait is no single word."
    return f"{samples} answers to each question are sampled, for less than a fifth of the time (probe.samples)."


def _smallest(sd: float, seeds: int, level: float) -> float | None:
    return stats.smallest_effect(sd, seeds, power=POWER, level=level) if seeds > 1 else None


def _power_says(seeds: int, sd: float) -> str:
    if seeds < 2:
        return "one seed cannot tell a trait from the luck of a training run; name two or more"
    return f"four times out of five, if {seeds} seeds have a standard deviation of {sd:g}, as the shipped preset had"


def machine_speed() -> tuple[float, str]:
    """Measure how many floating-point operations a second this machine's matrix products do; say how."""
    import numpy as np

    left = np.ones((768, 576), np.float32)
    right = np.ones((576, 1536), np.float32)
    np.matmul(left, right)
    count, started = 0, time.perf_counter()
    while (taken := time.perf_counter() - started) < 0.3:
        np.matmul(left, right)
        count += 1
    speed = 2 * left.shape[0] * left.shape[1] * right.shape[1] * count / taken
    return speed, f"reckoned from {speed / 1e9:.0f} billion operations a second, measured just now"
