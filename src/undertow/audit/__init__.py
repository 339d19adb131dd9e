"""Say what a trained student acquired since its base. Start at `workflow`.

    settings      what is asked
    panel         shifts of named traits, and the verdict
    capability    what the student can still do
    difference    activations, probabilities and KL on unrelated prompts
    unnamed       what in them is more than chance; `readout` says what it means
    weights       how far the weights went
    attribution   whether these rows did it
    sampled       the panel, for models that can only be sampled
    gather        results

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
