"""The finished run that mitigations are compared on: its rows, its teacher, its recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from undertow.config.experiment import LanguageExperiment, load_spec
from undertow.errors import InputError, StoreError
from undertow.models.local import find_model
from undertow.models.precision import Precision
from undertow.pipeline.arms import ExperimentTraits, traits_of
from undertow.pipeline.bases import base_of, models_of
from undertow.pipeline.graph import tasks_of
from undertow.pipeline.task import Task
from undertow.pipeline.taught import teacher_label
from undertow.store.folder import SPEC, planned_state
from undertow.store.step import locate
from undertow.system.progress import Progress

ARMS = ("trait", "control")


@dataclass(frozen=True)
class Source:
    """A finished run."""

    spec: LanguageExperiment
    traits: ExperimentTraits
    digest: str
    """Of the base's weights."""
    tasks: Mapping[str, Task]
    folders: Mapping[str, Path]
    """Label of each of its steps to its folder."""

    def rows(self, arm: str, seed: int) -> Path:
        """Return the folder of an arm's rows."""
        return self.folders[f"rows-{arm}-s{seed}"]


def open_source(path: Path, precision: Precision, progress: Progress) -> Source:
    """Find what is needed of a run.

    Raises:
        InputError: it is not a finished run of a language experiment with trait and control arms, two seeds or more,
            and students that are trained on the text of rows.
    """
    if not (path / SPEC).is_file():
        raise InputError("is no run folder", str(path), "Name a folder that `undertow run` made.")
    spec = load_spec(path / SPEC)
    if not isinstance(spec, LanguageExperiment) or any(arm not in spec.arms for arm in ARMS):
        raise InputError(
            "is not a run with the arms trait and control", str(path), "Run a language experiment with both first."
        )
    if spec.student.labels != "hard":
        raise InputError(
            "trains students on distributions, not on the text of the rows",
            str(path),
            "Compare on an experiment with `student: {labels: hard}`.",
        )
    if spec.student.pairs:
        raise InputError(
            "trains students on pairs of answers, and mitigations are methods on answers",
            str(path),
            "Compare on an experiment of another domain than pairs.",
        )
    if len(spec.seeds) < 2:
        raise InputError("has one seed", str(path), "Mitigations are compared over two seeds or more; three are few.")
    traits = traits_of(spec)
    bases = [base_of(name, find_model(name, progress=progress)) for name in models_of(spec)]
    tasks = {task.label: task for task in tasks_of(spec, traits, bases, precision)}
    teachers = dict.fromkeys(teacher_label(spec, "trait", seed) for seed in spec.seeds)
    needed = [*teachers, *(f"rows-{arm}-s{seed}" for arm in ARMS for seed in spec.seeds)]
    states = planned_state(path, [(tasks[label].kind, label, tasks[label].key) for label in needed])
    missing = [label for label, state in zip(needed, states, strict=True) if state == "missing"]
    if missing:
        raise StoreError(
            f"lacks {len(missing)} of the steps that are needed, such as {missing[0]}",
            str(path),
            f"Finish it first, on this machine: undertow run {os.fspath(path / SPEC)}",
        )
    folders = {label: locate(path / "steps", tasks[label].kind, label, tasks[label].key).path for label in needed}
    return Source(spec, traits, bases[0].digest, tasks, folders)
