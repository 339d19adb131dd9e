"""Experiments: arms, controls and seeds, carried out in a run folder that can be left and entered again.

    workflow.py   `run`: every missing step, then results and report
    planning.py   `plan`: what a run will do, take and be able to see
    effects.py    from scores to effects and verdict; gather.py, from step folders to results.json

The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.experiment.planning import Plan, PlannedStep, plan
    from undertow.experiment.workflow import RunOutcome, run

__all__ = [
    "Plan",
    "PlannedStep",
    "RunOutcome",
    "plan",
    "run",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Plan": "planning",
        "PlannedStep": "planning",
        "plan": "planning",
        "RunOutcome": "workflow",
        "run": "workflow",
    },
)
