"""The baselines of a scan by name: published methods and teacher inference, and those that other packages add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from undertow.system.registry import Registry

if TYPE_CHECKING:
    from undertow.scan.baseline_scores import Asked, Floats

INFERENCE: Final = "teacher-inference"
WRITER: Final = "writer"
"""Its old spelling: run folders hold it, and files may."""


@dataclass(frozen=True)
class Baseline:
    """A way to ask rows for every trait of the panel."""

    title: str
    """As in the report."""
    unit: str
    scores: Callable[[Asked], Floats] | str | None
    """Returns a score for each row and trait (R, K), or where that is, `module:function`. None for teacher inference,
    which asks some traits alone, see `undertow.scan.baselines.named`."""


BASELINES: Final[Registry[Baseline]] = Registry("baseline", "undertow.scan_methods", "--baseline")

BASELINES.register(
    INFERENCE,
    Baseline("virtual teachers", "sd a row", None),
    says="towards which trait's teacher do the rows lean?",
    aliases=[WRITER],
)
BASELINES.register(
    "likelihood",
    Baseline("likelihood shift", "nats a token", "undertow.scan.baseline_scores:likelihood_scores"),
    says="are the rows likelier under the trait's system prompt?",
)
BASELINES.register(
    "divergence",
    Baseline("divergence tokens", "share of tokens", "undertow.scan.baseline_scores:divergence_scores"),
    says="do the rows hold the tokens that the trait's system prompt brings about?",
)
BASELINES.register(
    "projection",
    Baseline("activation projection", "along a unit vector", "undertow.scan.baseline_scores:projection_scores"),
    says="do the rows' activations lie along the trait's vector?",
)
