"""Measure what a trained student acquired since its base. Start at `workflow.py`.

    workflow.py           `audit`: from two models to results, as a run folder
    settings.py           the settings of an audit
    measure.py            the measurements, each a step of the run folder
    panel.py              shifts of named traits
    capability.py         what the student can still do
    difference.py         activations, probabilities and KL on unrelated prompts
    unnamed.py            changes that no trait names, with their tests
    search.py             one summary of these changes
    readout.py            what a direction in the activations means
    weights.py            how far the weights moved
    row_attribution.py    whether given rows caused the change
    attribution_tests.py  the tests behind that
    query.py              an audit of models that can only be sampled
    sampled.py            its sample sizes and statistics
    remote.py             models behind an address
    texts.py              unrelated prompts and prose
    gather.py             from measurements to results

    from undertow import AuditSettings, audit
    audit(AuditSettings(student="hf/student")).results.verdict

The names load on first use, so that importing this package does not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy, make_callable

if TYPE_CHECKING:
    from undertow.audit.query import plan_of
    from undertow.audit.settings import AuditSettings, Prices, Sources
    from undertow.audit.workflow import AuditOutcome, audit

__all__ = ["AuditOutcome", "AuditSettings", "Prices", "Sources", "audit", "plan_of"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "AuditOutcome": "workflow",
        "AuditSettings": "settings",
        "Prices": "settings",
        "Sources": "settings",
        "audit": "workflow",
        "plan_of": "query",
    },
)
make_callable(__name__)
