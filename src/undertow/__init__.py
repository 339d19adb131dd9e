"""Undertow measures, predicts and prevents hidden trait transfer in model distillation.

The public names load on first use, so that `import undertow` stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy
from undertow.system.version import __version__

if TYPE_CHECKING:
    from undertow.config.experiment import load_spec
    from undertow.data.files import read_rows
    from undertow.data.rows import Row
    from undertow.experiment import plan, run
    from undertow.results import Results
    from undertow.stats import Estimate, Verdict

__all__ = ["Estimate", "Results", "Row", "Verdict", "__version__", "load_spec", "plan", "read_rows", "run"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "plan": "experiment",
        "run": "experiment",
        "Results": "results",
        "read_rows": "data.files",
        "Row": "data.rows",
        "load_spec": "config.experiment",
        "Estimate": "stats",
        "Verdict": "stats",
    },
)
