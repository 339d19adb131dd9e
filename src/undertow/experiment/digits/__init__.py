"""The paper's classifier laboratory (Cloud et al. 2025, arXiv 2507.14805, section on MNIST classifiers).

A small network has ten class logits and a few auxiliary logits that no label ever touches. A teacher is
trained on digits; a student is trained only to match the teacher's auxiliary logits on images of pure noise.
When the student starts from the teacher's initial weights it learns to read digits that it never saw; from
other weights it does not.

`run_digits` is the whole experiment. `train_arms` trains a few seeds, `check_theorem` checks the paper's
theorem and `null_runs` measures the false-positive rate. Everything takes arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.experiment.digits.arms import ARMS, Trained, train_arms
    from undertow.experiment.digits.data import Digits, split
    from undertow.experiment.digits.null import NullResult, null_runs
    from undertow.experiment.digits.run import load_and_run, run_digits
    from undertow.experiment.digits.theorem import TheoremCheck, check_theorem

__all__ = [
    "ARMS",
    "Digits",
    "NullResult",
    "TheoremCheck",
    "Trained",
    "check_theorem",
    "load_and_run",
    "null_runs",
    "run_digits",
    "split",
    "train_arms",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "ARMS": "arms",
        "Trained": "arms",
        "train_arms": "arms",
        "Digits": "data",
        "split": "data",
        "NullResult": "null",
        "null_runs": "null",
        "load_and_run": "run",
        "run_digits": "run",
        "TheoremCheck": "theorem",
        "check_theorem": "theorem",
    },
)
