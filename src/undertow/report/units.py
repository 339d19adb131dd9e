"""Units, explained to a reader who does not know them.

    log-odds    ln(p / (1 - p)) of the answer that shows the trait
    accuracy    share of test images recognised
    cosine      agreement of two directions

Any other unit is shown by its name, without an explanation.
"""

from __future__ import annotations

import math

from undertow.report.words import percent, plain

_SAYS = {
    "log-odds": (
        "Log-odds: 0 means no change, +1 makes the odds of the answer that shows the trait 2.7 times as "
        "large, +0.1 makes them 1.1 times as large."
    ),
    "accuracy": "Accuracy: the share of test images that are recognised; +0.10 is ten more in every hundred.",
    "cosine": "Cosine: 1 is the same direction, 0 is unrelated, −1 is the opposite direction.",
}
_ABSOLUTE = frozenset({"accuracy"})
_MOST = 12.0
"""Log-odds beyond which a ratio of odds is no number that anybody can picture."""


def explained(unit: str) -> str:
    """Explain a unit in one sentence; empty for a unit that is not known."""
    return _SAYS.get(unit, "")


def absolute(unit: str) -> bool:
    """Say whether an arm is summarised by the measurement itself and not by its shift from the base."""
    return unit in _ABSOLUTE


def difference(unit: str) -> bool:
    """Say whether an effect of this unit is one arm minus another, and not a measurement of its own."""
    return unit != "cosine"


def pictured(value: float, lo: float, hi: float, unit: str, contrast: str) -> str:
    """Say in plain words how large a difference is; empty where words would not help.

    Args:
        value: The difference.
        lo: Lower end of its interval.
        hi: Upper end.
        unit: Of the difference.
        contrast: What was subtracted.
    """
    if unit == "log-odds" and max(abs(value), abs(lo), abs(hi)) < _MOST:
        ratios = [plain(ratio, 2 if ratio < 10 else 0) for ratio in map(math.exp, (value, lo, hi))]
        return (
            f"The odds of the answer that shows the trait are {ratios[0]} times those of {contrast} "
            f"({ratios[1]} to {ratios[2]} times)."
        )
    if unit == "accuracy":
        more = "more" if value >= 0 else "fewer"
        return f"{percent(abs(value)).removesuffix('%')} {more} right answers in every hundred than {contrast}."
    return ""
