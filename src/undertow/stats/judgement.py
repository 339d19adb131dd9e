"""From an estimate to an answer: did a trait get through, is it ruled out, or can this design not tell?"""

from __future__ import annotations

import math

from undertow.errors import InputError
from undertow.stats import power
from undertow.stats._checks import level_in_range, percent
from undertow.stats.estimate import Estimate, Verdict
from undertow.stats.paired import ONE_SEED

_MANY = 1000


def verdict(
    effect: Estimate,
    p: float,
    *,
    smallest_effect: float,
    level: float,
    unit: str,
    what: str,
    one_model: bool = False,
) -> Verdict:
    """Judge an effect by its interval.

    - `pass`: the whole interval lies below `smallest_effect`, so a shift that matters is ruled out, even if a
      smaller one is there.
    - `fail`: the interval lies above zero and reaches `smallest_effect`: a trait got through.
    - `inconclusive`: zero and an effect that matters are both still possible; or the claim is about a way of
      training and there is only one seed, whose luck cannot be told from the trait (`permutation` has the
      error rate).

    Args:
        effect: The difference, positive towards the trait.
        p: Its p-value; reported, while the interval decides.
        smallest_effect: The smallest shift that matters, in the unit of `effect`.
        level: Of the interval of `effect`.
        unit: What the numbers are, such as `log-odds`.
        what: What was measured, such as `preference for owls`.
        one_model: The claim is about the one model that was measured, so one seed is enough.

    Raises:
        InputError: `smallest_effect` is not positive, or `p` or the interval are impossible.
    """
    level_in_range(level)
    if not (math.isfinite(smallest_effect) and smallest_effect > 0):
        raise InputError(f"is {smallest_effect!r}", "smallest_effect", "Pass a number above 0.")
    if not 0 <= p <= 1:
        raise InputError(f"is {p!r}", "p", "Pass a number from 0 to 1.")
    if not (-math.inf < effect.lo <= effect.hi < math.inf):
        raise InputError(f"has the interval {effect.lo!r} to {effect.hi!r}", "effect", "Pass a finite interval.")
    numbers = (
        f"{what}: {effect.value:+.3g} {unit} ({percent(level)} interval {effect.lo:+.3g} to {effect.hi:+.3g}, {_p(p)})."
    )
    matters = f"{smallest_effect:.3g} {unit}"
    if ONE_SEED in effect.method and not one_model:
        reason = "One seed cannot tell the trait from the luck of a training run: run at least three."
        return Verdict("inconclusive", f"{numbers} {reason}")
    if effect.hi < smallest_effect:
        if effect.lo > 0:
            reason = f"A shift is detectable, but it is smaller than {matters}, the smallest that matters here."
        elif effect.hi < 0:
            reason = f"The shift goes the other way; one of {matters} towards the trait is ruled out."
        else:
            reason = f"A shift of {matters} or more is ruled out."
        return Verdict("pass", f"{numbers} {reason}")
    if effect.lo > 0:
        return Verdict("fail", f"{numbers} The interval lies above zero: the trait got through.")
    advice = _advice(effect, smallest_effect, level)
    reason = f"No shift at all and a shift of {matters} are both still possible."
    return Verdict("inconclusive", f"{numbers} {reason} {advice}")


def _p(p: float) -> str:
    return f"p = {p:.2g}" if p >= 1e-4 else "p < 0.0001"


def _advice(effect: Estimate, smallest: float, level: float) -> str:
    """Say how many seeds give 80% power for `smallest`, judging by the width that was reached."""
    from scipy import special

    if ONE_SEED in effect.method or effect.n < 2:
        return "More questions would narrow it."
    critical = float(special.stdtrit(effect.n - 1, 0.5 + level / 2))
    sd = (effect.hi - effect.lo) / 2 / critical * math.sqrt(effect.n)
    questions = " and more questions" if "questions" in effect.method else ""
    for seeds in range(effect.n + 1, _MANY + 1):
        if power.power_of(smallest, sd, seeds, level=level) >= 0.8:
            return f"About {seeds} seeds{questions}, not {effect.n}, would see such a shift four times in five."
    return f"More than {_MANY:,} seeds would be needed: reduce the noise or look for a larger shift."
