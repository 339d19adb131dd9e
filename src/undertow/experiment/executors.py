"""Who carries out the steps of an experiment: this process, or what another package adds.

An executor gets the tasks in an order in which each comes after those that it reads. It returns the folder of every
one, finished. `RunFolder.step` makes a step only where it is missing, and holds the run's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from undertow.config.experiment import DigitsExperiment, Experiment
from undertow.errors import InputError
from undertow.system.registry import Registry

if TYPE_CHECKING:
    from undertow.pipeline.task import Task, Tick
    from undertow.store.folder import RunFolder
    from undertow.system.progress import Progress


class Executor(Protocol):
    """Makes steps."""

    def __call__(self, tasks: Sequence[Task], folder: RunFolder, progress: Progress, /) -> dict[str, Path]:
        """Make the steps that are missing, and return the folder of each by its label.

        Args:
            tasks: In the order in which they can be made.
            folder: Of the run.
            progress: Is told how far it is.
        """
        ...


def check_executor(spec: Experiment, name: str) -> None:
    """See that an executor can be found, and that the experiment has steps for it.

    Raises:
        InputError: one of the two is not so.
    """
    EXECUTORS.get(name)
    if isinstance(spec, DigitsExperiment) and name != IN_PROCESS:
        raise InputError(
            "has one step, which runs in this process",
            f"--executor {name}: a digits experiment",
            "Leave --executor out.",
        )


EXECUTORS: Final[Registry[Executor]] = Registry("executor", "undertow.executors", "--executor")
IN_PROCESS: Final = "in-process"


@EXECUTORS.register(IN_PROCESS, says="one step after the other, in this process")
def in_process(tasks: Sequence[Task], folder: RunFolder, progress: Progress, /) -> dict[str, Path]:
    """Make one step after the other."""
    whole = sum(task.cost.operations for task in tasks) or 1.0
    folders: dict[str, Path] = {}
    done = 0.0
    for task in tasks:
        start, share = done / whole, task.cost.operations / whole

        def tick(
            fraction: float, detail: str, label: str = task.label, start: float = start, share: float = share
        ) -> None:
            progress.update(label, start + share * min(fraction, 1.0), detail)

        def build(part: Path, task_build: Any = task.build, tick: Tick = tick) -> None:
            tick(0.0, "")
            task_build(part, folders, tick)

        folders[task.label] = folder.step(task.kind, task.label, task.key, build)
        done += task.cost.operations
        progress.update(task.label, done / whole, "done")
    return folders
