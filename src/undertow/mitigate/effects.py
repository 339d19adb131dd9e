"""From students' scores to what each method leaves of a transfer, and what it costs in the task. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.mitigate.methods import ORDINARY, method_named
from undertow.results import Effect, Interval, MitigationRecord, VerdictRecord
from undertow.stats import Estimate

Floats = NDArray[np.float64]

REMOVED = 0.8
"""Share of the transfer that a method should remove."""
KEPT = 0.95
"""Share of the task's gain that should be left."""


@dataclass(frozen=True)
class Treated:
    """Students under one method. Letters: S seeds, Q questions, R held-out rows."""

    trait_SQ: Floats
    """Log-odds of students of the trait teacher's rows."""
    control_SQ: Floats
    """The same of the control's rows, under the same method."""
    loss_SR: Floats
    """Of the trait arm's students on held-out rows of the task, nats a token."""
    in_format_S: Floats | None


def judge(
    trait: str, base_loss_SR: Floats, plain: Treated, treated: Mapping[str, Treated], *, level: float
) -> tuple[list[MitigationRecord], list[Effect], VerdictRecord]:
    """Compare methods with an ordinary training, seed by seed.

    The shift left is trait minus control, both trained with the method: what a method does to any student, such as to
    keep a trait where it was in the base, is no transfer. Utility is the share of the task's gain (base loss minus
    student loss) that an ordinary student has.

    Args:
        trait: Its name.
        base_loss_SR: The base's loss on the same held-out rows.
        plain: Ordinary students.
        treated: Method to its students.
        level: Two-sided coverage.
    """
    tests = [
        stats.paired_test(
            (plain.trait_SQ - plain.control_SQ) - (each.trait_SQ - each.control_SQ), rng=np.random.default_rng(0)
        )
        for each in treated.values()
    ]
    adjusted = stats.holm([test.p for test in tests])
    records = [_record("none", plain, plain, base_loss_SR, level)]
    effects: list[Effect] = []
    for (method, each), test, p in zip(treated.items(), tests, adjusted, strict=True):
        records.append(_record(method, each, plain, base_loss_SR, level))
        removed = stats.paired_difference(
            plain.trait_SQ - plain.control_SQ, each.trait_SQ - each.control_SQ, level=level
        )
        effects.append(_effect(method, trait, removed, len(each.trait_SQ), test.p, float(p)))
    # Rows that are written anew take the transfer away by construction, and with it what the teacher knew.
    told = [each for each in records[1:] if not method_named(each.method).discards]
    return records, effects, _verdict(told or records[1:])


def _record(method: str, each: Treated, plain: Treated, base_loss_SR: Floats, level: float) -> MitigationRecord:
    shift = stats.paired_difference(each.trait_SQ, each.control_SQ, level=level)
    left = stats.transfer_fraction(each.trait_SQ, each.control_SQ, plain.trait_SQ, plain.control_SQ, level=level)
    nothing_SR = np.zeros_like(base_loss_SR)
    utility = stats.transfer_fraction(
        base_loss_SR - each.loss_SR, nothing_SR, base_loss_SR - plain.loss_SR, nothing_SR, level=level
    )
    known = None if method == ORDINARY.name else method_named(method)
    return MitigationRecord(
        method=method,
        says=known.says if known else "an ordinary training",
        needs=list(known.needs) if known else [],
        costs=known.costs if known else "",
        shift=_interval(shift),
        left=_interval(left) if left is not None else None,
        utility=_interval(utility) if utility is not None else None,
        in_format=float(each.in_format_S.mean()) if each.in_format_S is not None else None,
        loss=float(each.loss_SR.mean()),
    )


def _interval(e: Estimate) -> Interval:
    return Interval(value=e.value, lo=e.lo, hi=e.hi, n=e.n, method=e.method)


def _effect(method: str, trait: str, removed: Estimate, seeds: int, p: float, adjusted: float) -> Effect:
    return Effect(
        name=f"removed:{method}",
        arm="none",
        contrast=method,
        trait=trait,
        value=removed.value,
        lo=removed.lo,
        hi=removed.hi,
        n=removed.n,
        seeds=seeds,
        p=p,
        p_adjusted=adjusted,
        method=removed.method,
        says=f"Part of the shift that {method} removes, trait minus control.",
    )


def _verdict(records: Sequence[MitigationRecord]) -> VerdictRecord:
    """Say whether some method removes enough and keeps enough: by its estimates, and by its whole intervals."""

    def good(each: MitigationRecord, *, surely: bool) -> bool:
        if each.left is None or each.utility is None:
            return False
        left = max(abs(each.left.lo), abs(each.left.hi)) if surely else abs(each.left.value)
        return left <= 1 - REMOVED and (each.utility.lo if surely else each.utility.value) >= KEPT

    aim = f"at least {REMOVED:.0%} of the transfer removed, at least {KEPT:.0%} of the task kept"
    if surely := [each.method for each in records if good(each, surely=True)]:
        return VerdictRecord(status="pass", because=f"{_listed(surely)}: {aim}, by the whole intervals.")
    if likely := [each.method for each in records if good(each, surely=False)]:
        return VerdictRecord(
            status="inconclusive", because=f"{_listed(likely)}: {aim}, by the estimates; the intervals reach further."
        )
    return VerdictRecord(status="fail", because=f"No method: {aim}.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]
