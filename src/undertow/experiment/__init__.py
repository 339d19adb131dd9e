"""Runs of an experiment: make the missing steps of a run folder, then results and report.

    workflow.py   `run`: all missing steps, then results and report
    planning.py   `plan`: steps, time and smallest visible effect, before the run
    gather.py     from step folders to results.json
    effects.py    from scores to effects and verdict
    often.py      how many times as often, and how far a trait stands out
    judged.py     from judged answers to corrected shares
    hidden.py     from sums over hidden states to shares of the teacher's shift
    second.py     what the second wordings say
    digits/       the classifier experiment

The steps themselves belong to `undertow.pipeline`.

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
