"""Reduce the transfer of a trait, and measure how well that works. Start at `application.py` or `comparison.py`.

    application.py    `mitigate`: one method on a dataset of yours
    comparison.py     `compare`: several methods on the rows of a finished run
    methods.py        the methods with their needs and costs
    treatment.py      what a method is given, and what it returns
    prepare.py        what a method changes in a training
    rows.py           methods that change the rows
    losses.py         methods that change the loss
    weights.py        methods that freeze, steer or restore weights
    scored.py         the rows as a scan measures them
    interventions.py  changes of losses, gradients and weights
    panel.py          trait unlearning for all traits of the panel
    rewrite.py        answers rewritten by another model
    source.py         the finished run that a comparison starts from
    student.py        one student, trained and measured
    effects.py        the transfer that is left, and the cost in the task
    duration.py       how long a comparison takes

    from undertow import MitigationSettings, mitigate
    mitigate(Path("rows.jsonl"), MitigationSettings(method_named("format")), Path("student"))

The names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy, make_callable

if TYPE_CHECKING:
    from undertow.mitigate.application import MitigationSettings, mitigate
    from undertow.mitigate.comparison import CompareOutcome, compare, missing_students
    from undertow.mitigate.methods import COMPARED, METHODS, Method, method_named

__all__ = [
    "COMPARED",
    "METHODS",
    "CompareOutcome",
    "Method",
    "MitigationSettings",
    "compare",
    "method_named",
    "missing_students",
    "mitigate",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "COMPARED": "methods",
        "METHODS": "methods",
        "Method": "methods",
        "method_named": "methods",
        "MitigationSettings": "application",
        "mitigate": "application",
        "CompareOutcome": "comparison",
        "compare": "comparison",
        "missing_students": "comparison",
    },
)
make_callable(__name__)
