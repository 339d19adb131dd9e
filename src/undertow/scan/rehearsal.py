"""The rehearsal of a scan: how much of it fits, what it costs, what it says of the full training, and the verdict.

    found = rehearse_rows(setup, sides, settings, begun, tell)
    record = record_of(found, names, before_KQ, calibrated, level, read)
    with_rehearsal(verdict, record, smallest, level)

It knows a scan's settings and the run folder. How students are trained is `attribution.rehearsal`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.rehearsal_plan import (
    POINTS,
    RehearsalCost,
    RehearsalPlan,
    passes_of,
    plan_rehearsal,
    rehearsed,
)
from undertow.config.recipes.steps import steps_for
from undertow.probes.panel import INDEPENDENT
from undertow.report.words import duration
from undertow.results import Effect, Interval, RehearsalRecord, RehearsedTrait, VerdictRecord
from undertow.scan.calibration import Calibrated, NotCalibrated
from undertow.stats import Estimate
from undertow.stats.growth import Extrapolation, Grown, growth
from undertow.store.folder import finished
from undertow.store.record import stored

if TYPE_CHECKING:
    from undertow.attribution.measure import EncodedRows, Setup
    from undertow.attribution.rehearsal import Rehearsal, Stage
    from undertow.scan.settings import ScanSettings

Floats = NDArray[np.float64]

LEFT = 0.4
"""Of a budget, for everything before the rehearsal."""
_DIGITS = 4
"""Of the log-odds that results hold."""


@dataclass(frozen=True)
class _Timed:
    """A plan with the times that it was made from, as it is stored."""

    plan: RehearsalPlan
    row: float
    """Seconds of a row in training, once."""
    asking: float
    """Seconds of the panel."""


def rehearse_rows(
    setup: Setup, sides: Sequence[EncodedRows], settings: ScanSettings, begun: float, tell: Callable[[float, str], None]
) -> Rehearsal:
    """Say what a rehearsal costs, and carry it out.

    Args:
        setup: Of the scan.
        sides: The rows and the reference rows.
        settings: Of the scan, with a rehearsal.
        begun: When the scan began, on the clock `time.monotonic`.
        tell: Is told the share of the rehearsal that is done, and which student is under way.

    Raises:
        InputError: it does not fit into the budget.
    """
    from undertow.attribution.rehearsal import Stage, rehearse

    opened, compared = sides
    stage = Stage(setup.folder, setup.model, setup.panel, setup.key, setup.precision.autocast)
    tell(0.0, "timing")
    read = opened.chosen.read
    timed = _planned(stage, opened, min(len(opened.rows), len(compared.rows)), settings, begun)
    if len(finished(setup.folder.path, {"rehearsal"})) < 2 * timed.plan.seeds:
        setup.progress.note(told_cost(cost_of(timed.plan, timed.row, timed.asking, read, settings), timed.plan))
    return rehearse(stage, opened, compared, timed.plan, settings.recipe, read=read, tick=tell)


def _planned(stage: Stage, opened: EncodedRows, rows: int, settings: ScanSettings, begun: float) -> _Timed:
    from undertow.attribution.rehearsal import seconds_a_row
    from undertow.probes.panel import seconds_to_query

    asked, budget, recipe = settings.rehearsal, settings.budget, settings.recipe
    assert asked is not None

    def measure() -> _Timed:
        row, asking = seconds_a_row(stage, opened, recipe), seconds_to_query(stage.model, stage.panel)
        if budget is None:
            return _Timed(RehearsalPlan(min(asked.rows, rows), asked.seeds, POINTS), row, asking)
        left, passes = budget - (time.monotonic() - begun), passes_of(opened.chosen.read, recipe)
        plan = plan_rehearsal(left, row=row, asking=asking, rows=rows, batch=recipe.batch, passes=passes)
        return _Timed(plan, row, asking)

    key = {
        **stage.key,
        "rows": opened.chosen.digest,
        "most": rows,
        "budget": budget,
        "asked": asked.model_dump(mode="json"),
        "recipe": recipe.model_dump(mode="json", exclude={"name"}, exclude_defaults=True),
    }
    return stored(stage.folder, "plan", "rehearsal-plan", key, _Timed, measure)


def cost_of(plan: RehearsalPlan, row: float, asking: float, read: int, settings: ScanSettings) -> RehearsalCost:
    """Return what a plan takes.

    Args:
        plan: The plan.
        row: Seconds of a row in training, once.
        asking: Seconds of the panel, once.
        read: Rows of the full training.
        settings: Of the scan.
    """
    batch = settings.recipe.batch
    steps = steps_for(rehearsed(settings.recipe, read, plan.rows), plan.rows)
    return RehearsalCost(2 * plan.seeds, steps, row * min(batch, plan.rows), plan.points, asking)


def told_cost(cost: RehearsalCost, plan: RehearsalPlan) -> str:
    """Return a rehearsal's cost in one line for people."""
    return (
        f"rehearsal: {cost.students} students of {plan.rows:,} rows ({plan.seeds} seeds, rows and reference); each "
        f"{cost.steps:,} steps of {cost.step:.2g} s and {cost.points} times the panel of {cost.asking:.2g} s: about "
        f"{duration(cost.seconds)}"
    )


def record_of(
    found: Rehearsal,
    names: Sequence[str],
    before_KQ: Sequence[Floats],
    calibrated: Calibrated | NotCalibrated,
    level: float,
    read: int,
) -> RehearsalRecord:
    """Return what a rehearsal says of the full training.

    Args:
        found: What became of the students.
        names: The traits.
        before_KQ: What the base answers.
        calibrated: Where sizes of rehearsals are calibrated.
        level: Two-sided coverage.
        read: Rows of the full training.
    """
    numbers = None if calibrated.record is None else calibrated.calibration
    known = Extrapolation() if numbers is None else Extrapolation(numbers.slope, numbers.spread, numbers.floor)
    spent, full = found.spent_T, found.full_spent
    grown = [
        growth(
            [shift_STQ[:, :count] for shift_STQ in found.shift_K],
            spent[:count],
            full,
            level=level,
            extrapolation=known,
            independent=INDEPENDENT,
        )
        for count in range(1, len(spent) + 1)
    ]
    last = grown[-1]
    order = sorted(range(len(names)), key=lambda at: (last.traits[at].p, -abs(last.traits[at].full.value)))
    return RehearsalRecord(
        rows=found.rows,
        drawn=found.drawn,
        seeds=found.seeds,
        steps=found.steps,
        spent=spent,
        full_rows=read,
        full_steps=found.full_steps,
        ratio=last.ratio,
        exponent=last.exponent,
        replicated=_replicated(found),
        calibration="" if calibrated.record is None else calibrated.record.id,
        not_calibrated=list(calibrated.because),
        effects=[_effect(names[at], last.traits[at]) for at in order],
        traits=[
            RehearsedTrait(
                trait=names[at],
                common=float((found.reference_K[at][:, -1] - before_KQ[at]).mean()),
                measured=[_interval(each.traits[at].last) for each in grown],
                linear=_interval(last.traits[at].linear),
                shifts=np.round(found.shift_K[at], _DIGITS).tolist(),
            )
            for at in order
        ],
    )


def _replicated(found: Rehearsal) -> str:
    seeds, own = len(found.seeds), found.drawn == found.rows * len(found.seeds)
    how = "each on rows of its own" if own else f"on {found.drawn:,} rows that they partly share"
    return f"{seeds} seeds of students, {how}, of one dataset; not teachers"


def _effect(trait: str, grown: Grown) -> Effect:
    estimate = grown.full
    return Effect(
        name=f"rehearsal:{trait}",
        arm="rows",
        contrast="reference",
        trait=trait,
        value=estimate.value,
        lo=estimate.lo,
        hi=estimate.hi,
        n=estimate.n,
        seeds=estimate.n,
        p=grown.p,
        p_adjusted=grown.p_adjusted,
        adjusted_by="Holm",
        method=estimate.method,
    )


def _interval(estimate: Estimate) -> Interval:
    return Interval(value=estimate.value, lo=estimate.lo, hi=estimate.hi, n=estimate.n, method=estimate.method)


def with_rehearsal(verdict: VerdictRecord, record: RehearsalRecord, smallest: float, level: float) -> VerdictRecord:
    """Return the verdict of a scan that was rehearsed.

    A calibrated rehearsal decides: real students are better evidence than a prediction. `fail` needs a trait whose
    corrected p is significant, and whose interval lies beyond the smallest effect that matters. `pass` needs every
    interval within it. A rehearsal that is not calibrated changes no verdict; it is named beside it.

    Args:
        verdict: Of the prediction.
        record: Of the rehearsal.
        smallest: Log-odds below which a shift does not matter.
        level: Coverage of the intervals.
    """
    said = _said(record)
    if record.not_calibrated:
        because = f"{verdict.because} {said} It decides nothing: not calibrated for {'; '.join(record.not_calibrated)}."
        return VerdictRecord(status=verdict.status, because=because)
    beyond = [
        each
        for each in record.effects
        if (each.p_adjusted or 0.0) < 1 - level and (each.lo > smallest or each.hi < -smallest)
    ]
    if beyond:
        first = beyond[0]
        more = f", and {len(beyond) - 1:,} more of {len(record.effects):,} traits" if len(beyond) > 1 else ""
        return VerdictRecord(
            status="fail",
            because=f"{said} {first.trait} lies beyond {smallest:g} log-odds{more}. Calibrated by "
            f"{record.calibration}.",
        )
    widest = max(record.effects, key=lambda each: max(abs(each.lo), abs(each.hi)))
    if max(abs(widest.lo), abs(widest.hi)) < smallest:
        return VerdictRecord(
            status="pass",
            because=f"{said} The intervals of all {len(record.effects):,} traits lie within {smallest:g} log-odds. "
            f"Calibrated by {record.calibration}.",
        )
    return VerdictRecord(
        status="inconclusive",
        because=f"{said} No trait lies beyond {smallest:g} log-odds for sure, and {widest.trait} may shift by "
        f"{widest.lo:+.2f} to {widest.hi:+.2f}. More seeds or more rehearsed rows narrow the intervals.",
    )


def _said(record: RehearsalRecord) -> str:
    first = record.effects[0]
    return (
        f"A rehearsal ({len(record.seeds)} seeds, {record.rows:,} rows each, extrapolated {record.ratio:.3g} times) is "
        f"surest of {first.trait}: {first.value:+.2f} log-odds ({first.lo:+.2f} to {first.hi:+.2f}, corrected "
        f"p = {first.p_adjusted:.2g}) beyond the reference rows."
    )
