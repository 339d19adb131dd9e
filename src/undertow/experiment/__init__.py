"""Experiments: arms, controls and seeds, carried out in a run folder that can be left and entered again.

    workflow.py   `run`: every missing step, then results and report
    planning.py   `plan`: what a run will do, take and be able to see
    graph.py      the steps of a language experiment, their keys and costs (cost.py)
    arms.py       who teaches and what each arm is there to show
    writing.py    what a teacher wrote; students.py, a student's training and measurement
    effects.py    from scores to effects and verdict; gather.py, from step folders to results.json
    store.py      the run folder

The public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "RunFolder": "undertow.experiment.store",
    "check": "undertow.experiment.store",
    "environment": "undertow.experiment._environment",
    "run": "undertow.experiment.workflow",
    "RunOutcome": "undertow.experiment.workflow",
    "plan": "undertow.experiment.planning",
    "Plan": "undertow.experiment.planning",
    "PlannedStep": "undertow.experiment.planning",
    "append_jsonl": "undertow.experiment.jsonl",
    "read_jsonl": "undertow.experiment.jsonl",
}

__all__ = [*_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'undertow.experiment' has no attribute {name!r}")
