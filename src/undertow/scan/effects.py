"""What a scan says of a trait, as results hold it: one form for its own prediction and for the baselines."""

from __future__ import annotations

from typing import Protocol

from undertow.results import Effect
from undertow.stats import Estimate


class Finding(Protocol):
    """A trait with an estimate and its p-values."""

    @property
    def trait(self) -> str:
        """`entry:target`."""
        ...

    @property
    def estimate(self) -> Estimate:
        """With its interval."""
        ...

    @property
    def p(self) -> float:
        """Uncorrected."""
        ...

    @property
    def p_adjusted(self) -> float:
        """After Benjamini and Hochberg, over the panel."""
        ...


def effect_of(finding: Finding, *, unit: str = "log-odds", primary: bool = False) -> Effect:
    """Return a finding as an effect of the rows against the base."""
    e = finding.estimate
    return Effect(
        name=f"rows:{finding.trait}",
        arm="rows",
        contrast="base",
        trait=finding.trait,
        value=e.value,
        lo=e.lo,
        hi=e.hi,
        n=e.n,
        seeds=0,
        p=finding.p,
        p_adjusted=finding.p_adjusted,
        adjusted_by="BH",
        unit=unit,
        method=e.method,
        primary=primary,
    )
