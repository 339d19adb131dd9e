"""From what was measured of models to the results of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.lineage import Lineage
from undertow.audit.panel import Odds, Shift, compared_with, controls_of, judge, mean_odds, shifts_of
from undertow.audit.settings import AuditSettings
from undertow.data.sample import Chosen
from undertow.results import AuditRecord, Effect, Interval, Results, TracedRows, Unnamed
from undertow.stats import transfer_fraction
from undertow.traits.panel import Panel

if TYPE_CHECKING:
    from undertow.audit.weights import Change

_RESAMPLES = 999


@dataclass(frozen=True)
class Found:
    """What an audit measured."""

    settings: AuditSettings
    spec: dict[str, Any]
    panel: Panel
    odds: dict[str, Odds]
    """By model: base, student, and controls and teacher where there are any."""
    able: dict[str, dict[str, NDArray[np.float64]]]
    lineage: Lineage
    change: Change
    unnamed: Unnamed | None
    obstacle: str
    traced: TracedRows | None
    chosen: Chosen | None

    @property
    def other(self) -> Odds:
        """Its log-odds: the mean over control students, or the base's."""
        return mean_odds(compared_with(self.odds))


def gather(found: Found, environment: dict[str, Any]) -> Results:
    """Put the results together."""
    from undertow.audit.capability import breakage, retention

    settings = found.settings
    odds, controls = found.odds, controls_of(found.odds)
    shifts = shifts_of(odds["student"], odds["base"], controls, level=settings.level)
    able = retention(found.able["student"], found.able["base"], "base", settings.level)
    broken = breakage(able)
    other_family = found.lineage.because if found.lineage.answer == "different" else ""
    record = AuditRecord(
        base=settings.base,
        student=settings.student,
        controls=list(settings.controls),
        capability=able,
        broken=broken,
        lineage=found.lineage.answer,
        lineage_because=found.lineage.because,
        lineage_p=found.lineage.p,
        adapter=found.change.adapter,
        weights=found.change.parts,
        teacher_correlation=_with_teacher(found),
        unnamed=found.unnamed,
        unnamed_because=found.obstacle,
        rows=found.traced,
    )
    return results_of(
        settings,
        found.spec,
        shifts,
        record,
        _notes(found, broken),
        environment,
        other_family=other_family,
        fraction=_fraction(found, shifts[0].trait),
    )


def results_of(
    settings: AuditSettings,
    spec: dict[str, Any],
    shifts: list[Shift],
    record: AuditRecord,
    notes: list[str],
    environment: dict[str, Any],
    *,
    other_family: str = "",
    fraction: Interval | None = None,
) -> Results:
    """Return the results of an audit of any kind, with its verdict.

    Args:
        settings: Of the audit.
        spec: What the run folder states.
        shifts: Of the traits, the surest first.
        record: What else was measured.
        notes: What a reader is told.
        environment: Of the machine and the models.
        other_family: Why the student is none of this base's family; empty where it can be.
        fraction: Of the teacher's shift, that the student took over.
    """
    return Results(
        kind="audit",
        name=settings.student,
        title=f"What did {settings.student} acquire since {settings.base}?",
        verdict=judge(
            shifts,
            settings.smallest_effect,
            settings.level,
            controls=len(settings.controls),
            broken=record.broken,
            other_family=other_family,
        ),
        findings=_effects(shifts, contrast_of(settings)),
        transfer_fraction=fraction,
        audit=record,
        notes=notes,
        settings=spec | {"judgement": {"level": settings.level, "smallest_effect": settings.smallest_effect}},
        environment=environment,
    )


def contrast_of(settings: AuditSettings) -> str:
    """Return what the student is compared with."""
    return "control" if settings.controls else "base"


def _effects(shifts: list[Shift], contrast: str) -> list[Effect]:
    """Return shifts as results hold them; the first is the one that the verdict rests on."""
    return [
        Effect(
            name=f"student-{contrast}:{each.trait}",
            arm="student",
            contrast=contrast,
            trait=each.trait,
            value=each.estimate.value,
            lo=each.estimate.lo,
            hi=each.estimate.hi,
            n=each.estimate.n,
            seeds=1,
            p=each.p,
            p_adjusted=each.p_adjusted,
            adjusted_by="BH",
            method=each.estimate.method,
            primary=rank == 0,
        )
        for rank, each in enumerate(shifts)
    ]


def draws_note(controls: int) -> str:
    """Say what the intervals hold."""
    if controls > 1:
        return (
            f"The student is compared with the mean of {controls} control students. Intervals include the spread "
            "between controls: they show how this student differs from clean ones, not what the same training does in "
            "general."
        )
    if controls == 1:
        return (
            "One control has no spread. Its distance from the base is used instead, which makes intervals too wide. "
            "More controls narrow them."
        )
    return (
        "One student was measured, with questions as the draws: the numbers concern this student, not what the same "
        "training does in general."
    )


def _fraction(found: Found, trait: str) -> Interval | None:
    """Return how much of the teacher's strongest trait's shift the student took over."""
    if "teacher" not in found.odds:
        return None
    student, teacher, base = (found.odds[who][trait] for who in ("student", "teacher", "base"))
    other = found.other[trait]
    fraction = transfer_fraction(student[None], other[None], teacher[None], base, level=found.settings.level)
    return None if fraction is None else Interval(**fraction.as_dict())


def _with_teacher(found: Found) -> Interval | None:
    """Correlate the student's shifts with the teacher's; None without a teacher, or with less than three traits."""
    names, other = list(found.odds["base"]), found.other
    if "teacher" not in found.odds or len(names) < 3:
        return None
    entries = {f"{entry.name}:{target}": entry.name for entry in found.panel for target in entry.targets}
    return shift_correlation(
        [found.odds["student"][name] - other[name] for name in names],
        [found.odds["teacher"][name] - found.odds["base"][name] for name in names],
        [entries[name] for name in names],
        level=found.settings.level,
    )


def shift_correlation(
    student_KQ: Sequence[NDArray[np.float64]],
    teacher_KQ: Sequence[NDArray[np.float64]],
    asked_K: Sequence[str],
    *,
    level: float,
) -> Interval:
    """Correlate two models' shifts over traits (Pearson); the interval resamples questions.

    Traits that were asked by the same questions share a draw, since a question moves all of them. Other questions are
    drawn on their own, even if there are equally many.

    Args:
        student_KQ: One model's shifts, question by question; traits have unequally many.
        teacher_KQ: The other's, on the same questions.
        asked_K: Names the questions that each trait was asked by.
        level: Two-sided coverage.
    """
    rng = np.random.default_rng(0)
    sizes = {asked: len(shift_Q) for asked, shift_Q in zip(asked_K, student_KQ, strict=True)}
    drawn_N = np.empty(_RESAMPLES)
    for at in range(_RESAMPLES):
        picked = {asked: rng.integers(0, size, size=size) for asked, size in sizes.items()}
        drawn_N[at] = _pearson(
            *(
                [float(shift_Q[picked[asked]].mean()) for asked, shift_Q in zip(asked_K, side, strict=True)]
                for side in (student_KQ, teacher_KQ)
            )
        )
    lo, hi = np.quantile(drawn_N, [0.5 - level / 2, 0.5 + level / 2]).tolist()
    value = _pearson(*([float(shift_Q.mean()) for shift_Q in side] for side in (student_KQ, teacher_KQ)))
    method = (
        "percentile bootstrap of questions, one draw for all traits of a panel entry, entries independent, "
        f"{100 * level:.6g}%"
    )
    return Interval(value=value, lo=lo, hi=hi, n=len(student_KQ), method=method)


def _pearson(left: list[float], right: list[float]) -> float:
    one, two = (np.array(each) - np.mean(each) for each in (left, right))
    size = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum() / size) if size > 0 else 0.0


def _notes(found: Found, broken: str) -> list[str]:
    from undertow.models.adapter_notes import adapter_notes

    notes = [draws_note(len(found.settings.controls))]
    if found.chosen is not None and (said := found.chosen.notes):
        notes.append(f"Of the rows: {'; '.join(said)}.")
    if contrast_of(found.settings) == "base":
        notes.append(
            "No control student: shifts are from the base, and include every effect of training. A student trained on "
            "the untouched base's rows (--control) separates a hidden trait from the effect of training on such rows."
        )
    if broken:
        notes.append("A broken student's answers can shift on any question, so its shifts are no evidence of a trait.")
    if found.lineage.answer == "unknown":
        notes.append(f"Whether the student comes from this base is not known: {found.lineage.because}.")
    if found.obstacle:
        notes.append(f"Activations, tokens and prompts were not compared: {found.obstacle}.")
    if found.settings.base.startswith("embedded/"):
        notes.append("The base's weights are decoded from a 4-bit file; the numbers concern those weights.")
    return notes + adapter_notes(found.settings.models().values())
