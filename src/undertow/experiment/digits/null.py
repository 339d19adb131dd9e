"""The false-positive rate of the laboratory: many runs whose teachers know nothing, each taken to its verdict.

The teachers are trained on uniform random labels. Everything else is as usual: the weights move, the
students follow their teachers, and students from the same weights follow closer. Since nothing in the
training prefers one name of a class to another, every arm's expected accuracy is exactly 1/10, so a verdict
of `fail` is false. (A teacher that is not trained at all would be no test: a student that starts at its
teacher's weights has nothing to learn.)

A verdict of `fail` needs an interval above zero: by chance, half of 1 - level of the runs. It also needs the
interval to reach `smallest_effect`, so set that close to zero to test the interval by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt

from undertow.config.experiment import DigitsExperiment
from undertow.errors import InputError
from undertow.experiment.digits.data import split
from undertow.experiment.digits.measure import measure
from undertow.experiment.digits.run import judge
from undertow.results import Results
from undertow.system.progress import Progress, Silent


@dataclass(frozen=True)
class NullResult:
    """Verdicts of runs without an effect."""

    results: tuple[Results, ...]
    stated: float
    """Largest share of `fail` that the verdict's rule allows."""

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return len(self.results)

    @property
    def fails(self) -> int:
        """How many of them said `fail`, each of them wrongly."""
        return sum(result.verdict.status == "fail" for result in self.results)

    @property
    def share(self) -> float:
        """Share of runs that said `fail`."""
        return self.fails / self.runs


def null_runs(
    spec: DigitsExperiment,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    runs: int = 20,
    seeds_per_run: int = 8,
    first_seed: int = 0,
    progress: Progress | None = None,
) -> NullResult:
    """Run an experiment without an effect again and again, each time with fresh seeds.

    Args:
        spec: The experiment; its labels and seeds are replaced.
        images: Pixels 0 to 255, shape (N, 784).
        labels: Classes 0 to 9, shape (N,).
        runs: How many.
        seeds_per_run: Seeds of each run.
        first_seed: Run r takes the seeds from `first_seed + r * seeds_per_run`.
        progress: Told of every run.

    Raises:
        InputError: no runs, fewer than two seeds a run, or data that do not fit.
    """
    if runs < 1 or seeds_per_run < 2 or first_seed < 0:
        raise InputError(
            f"{runs} runs of {seeds_per_run} seeds from seed {first_seed}",
            "null experiment",
            "Ask for at least one run of at least two seeds, from seed 0 or later.",
        )
    digits = split(images, labels, train=spec.train_images, test=spec.test_images)
    progress = progress or Silent()
    results: list[Results] = []
    for run in range(runs):
        start = first_seed + run * seeds_per_run
        seeds = tuple(range(start, start + seeds_per_run))
        null = spec.model_copy(update={"teacher_labels": "random", "seeds": seeds})
        results.append(judge(null, measure(null, digits, progress=Silent())))
        progress.update("null runs", (run + 1) / runs)
    return NullResult(tuple(results), (1 - spec.judgement.level) / 2)
