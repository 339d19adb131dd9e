"""Keep a trait from passing, and prove that it works. Start at `comparison`, or at `methods` for what there is.

    methods         names, needs, costs
    treatment       what a method is given, and what it gives back
    prepare         what each changes in a training
    rows            methods that change the rows
    losses          methods that change the loss
    weights         methods that hold, steer or restore weights
    scored          the rows as a scan sees them
    interventions   losses, gradients and weights
    panel           all traits of the panel taken back
    source          the finished run that methods are compared on
    student         one student, trained and measured
    effects         what is left of transfer and task
    comparison      all of it, as a run folder
    application     one method, on rows of a user's

The names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.mitigate.application import Order, apply
    from undertow.mitigate.comparison import CompareOutcome, compare, missing_students
    from undertow.mitigate.methods import COMPARED, METHODS, Method, method_named

__all__ = [
    "COMPARED",
    "METHODS",
    "CompareOutcome",
    "Method",
    "Order",
    "apply",
    "compare",
    "method_named",
    "missing_students",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "COMPARED": "methods",
        "METHODS": "methods",
        "Method": "methods",
        "method_named": "methods",
        "Order": "application",
        "apply": "application",
        "CompareOutcome": "comparison",
        "compare": "comparison",
        "missing_students": "comparison",
    },
)
