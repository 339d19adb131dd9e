"""The two values that claims are made of: an estimate with its interval, and a verdict with its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Examples:
        >>> from undertow import Estimate
        >>> Estimate(0.4, 0.1, 0.7, n=5, method="t interval over 5 seeds, 95%").excludes(0)
        True
    """

    value: float
    """The point estimate, in the unit that the caller names."""
    lo: float
    """Lower end of the two-sided interval."""
    hi: float
    """Upper end of the two-sided interval."""
    n: int
    """Independent replicates behind it (seeds, or questions when there is one seed)."""
    method: str
    """How the interval was made, in a few words, with its level."""

    def excludes(self, x: float) -> bool:
        """Tell whether the interval lies wholly to one side of `x`."""
        return self.lo > x or self.hi < x

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """The answer to a question, and the reason for it.

    Examples:
        >>> from undertow import Verdict
        >>> Verdict("pass", "The interval lies within 0.1 log-odds of zero.").status
        'pass'
    """

    status: Status
    because: str
