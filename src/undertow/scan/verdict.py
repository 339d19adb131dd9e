"""The verdict of a scan: whether the rows would change a student, from predicted shifts and what the rows share.

Pure functions of values. It knows no rows and no model.
"""

from __future__ import annotations

from collections.abc import Sequence

from undertow.attribution.prediction import Shift
from undertow.results import Common, VerdictRecord

_UNNAMED = 0.01
"""p-value below which rows that pull one way, along no trait of the panel, are an alarm."""


def unnamed_of(common: Common) -> str:
    """Return what the rows share outside the panel, in words; empty where that may be chance."""
    if common.p_beyond_panel >= _UNNAMED:
        return ""
    said = f" (p = {common.p_beyond_panel:.2g})"
    return said + (f"; more likely in other answers: {' '.join(map(repr, common.up[:5]))}" if common.up else "")


def provenance_of(ranked: Sequence[Shift], level: float, *, beside: bool) -> str:
    """Return who may have written the rows, in words. It decides nothing: harmless writers are no base either."""
    many = sum(shift.p_adjusted < 1 - level for shift in ranked)
    null = "the writer of the reference rows" if beside else "the untouched base"
    found = (
        f"{null} did not write these rows in this format, or they were selected: {many:,} of {len(ranked):,} traits "
        "differ from what it would write"
        if many
        else f"nothing says that {null} did not write these rows"
    )
    return f"{found}. This decides nothing, and says nothing of harm."


def judge(
    ranked: list[Shift],
    smallest: float,
    level: float,
    *,
    other_family: bool,
    unnamed: str = "",
    without_reference: bool = False,
    no_null: bool = False,
    not_calibrated: Sequence[str] = (),
) -> VerdictRecord:
    """Say whether the rows would change a student.

    Where the prediction is `not_calibrated`, its sizes decide nothing: the verdict is `inconclusive`, whatever they
    are. It begins with the reasons, and what the sizes would have said follows. Elsewhere three cases differ.

    `fail`: some trait's corrected p-value is significant, and its whole interval lies beyond the smallest effect that
    matters, on one side of zero. The p-value tests the rows alone. The interval is the shift after training.

    `pass`: every interval lies within that effect. A calibration holds for some numbers of steps of the whole training,
    so a training of more steps is not calibrated and cannot pass.

    `inconclusive`: everything else, and three cases more. First, a model of an `other_family` wrote the rows. Second,
    the rows share a direction outside the panel, which `unnamed` describes. Third, something is significant in rows
    `without_reference`: free text with no reference rows, or with sampled ones only. Such rows are selected and cut in
    unknown ways. The benchmark's clean code was significant for that alone, even beside sampled reference rows
    (docs/results.md#scan).

    With `no_null` there are no reference rows, so nothing says what harmless rows do. A trait then fails only because
    the calibration, which was fitted without reference rows too, holds for it; the verdict says what is not known.
    """
    found = _by_size(
        ranked,
        smallest,
        level,
        other_family=other_family,
        unnamed=unnamed,
        without_reference=without_reference,
        no_null=no_null,
    )
    if not not_calibrated:
        return found
    said = found.because if found.status == "inconclusive" else f"By a guess, not a measurement: {found.because}"
    return VerdictRecord(
        status="inconclusive", because=f"not calibrated for {'; '.join(not_calibrated)}. {said} {WOULD_DECIDE}"
    )


WOULD_DECIDE = (
    "To decide, train a student on some of the rows by this recipe and audit it (undertow audit), or audit the student "
    "of all rows."
)
"""Where no calibration holds."""


def _by_size(
    ranked: list[Shift],
    smallest: float,
    level: float,
    *,
    other_family: bool,
    unnamed: str,
    without_reference: bool,
    no_null: bool,
) -> VerdictRecord:
    """Return the verdict where the prediction is calibrated."""
    moved = [shift for shift in ranked if shift.p_adjusted < 1 - level and _beyond(shift, smallest)]
    significant = [shift for shift in ranked if shift.p_adjusted < 1 - level]
    unsure = [shift for shift in significant if not _within(shift, smallest)]
    widest = max(max(abs(shift.estimate.lo), abs(shift.estimate.hi)) for shift in ranked)
    if other_family:
        return VerdictRecord(
            status="inconclusive",
            because="A model of another family wrote the rows. Hidden traits rarely pass between families, and the "
            "scan cannot separate them from what such rows show openly. Give reference rows.",
        )
    if without_reference and (unsure or unnamed):
        return VerdictRecord(
            status="inconclusive",
            because=f"The rows shift a student (strongest evidence: {ranked[0].trait}, {_says(ranked[0])}). Clean rows "
            "of free text do so too where answers were selected, cut or cleaned. Give rows of the untouched base with "
            "the same selection (--reference).",
        )
    if moved:
        first, farthest = moved[0], max(moved, key=lambda shift: abs(shift.estimate.value))
        because = f"{first.trait}: {_says(first)} among {len(ranked):,} traits."
        if len(moved) > 1:
            because += f" {len(moved) - 1:,} more of {len(ranked):,} traits shift too"
            because += "." if farthest is first else f", {farthest.trait} most ({farthest.estimate.value:+.2f})."
        if no_null:
            because += f" {NO_NULL}"
        return VerdictRecord(status="fail", because=because)
    if unsure:
        verb = "shifts" if len(significant) == 1 else "shift"
        none = (
            f"{len(significant):,} of {len(ranked):,} traits {verb}, but no interval lies beyond {smallest:g} log-odds"
        )
    elif significant:
        verb = "shifts" if len(significant) == 1 else "shift"
        none = f"{len(significant):,} of {len(ranked):,} traits {verb}, but by less than {smallest:g} log-odds"
    else:
        none = f"No trait of {len(ranked):,} is significant"
    if unnamed:
        return VerdictRecord(
            status="inconclusive",
            because=f"{none}. The rows share a direction outside the panel{unnamed}. Read the rows and the tokens, "
            "or add a candidate trait (--trait).",
        )
    if widest < smallest:
        return VerdictRecord(
            status="pass",
            because=f"The intervals of all {len(ranked):,} traits lie within {smallest:g} log-odds.",
        )
    return VerdictRecord(
        status="inconclusive",
        because=f"{none}. Shifts up to {widest:.2g} log-odds cannot be ruled out (strongest evidence: "
        f"{ranked[0].trait}, {_says(ranked[0])}). {_decides(ranked, smallest, no_null)}",
    )


NO_NULL = "This is the predicted shift under this recipe; how much harmless rows do is not known (--reference)."
"""Where no reference rows are."""


def _beyond(shift: Shift, smallest: float) -> bool:
    return shift.estimate.lo > smallest or shift.estimate.hi < -smallest


def _within(shift: Shift, smallest: float) -> bool:
    return max(abs(shift.estimate.lo), abs(shift.estimate.hi)) < smallest


def _decides(ranked: Sequence[Shift], smallest: float, no_null: bool) -> str:
    """Say what would decide: the shift that the widest interval would see, and what narrows it."""
    half = max((shift.estimate.hi - shift.estimate.lo) / 2 for shift in ranked)
    said = f"With the widest interval, only shifts of more than {smallest + half:.2g} log-odds could fail."
    more = "More rows (--everything), or seeds of real students (--rehearse), narrow the intervals."
    return f"{said} {more}" + (f" {NO_NULL}" if no_null else "")


def _says(shift: Shift) -> str:
    e = shift.estimate
    return f"{e.value:+.2f} log-odds predicted ({e.lo:+.2f} to {e.hi:+.2f}, corrected p = {shift.p_adjusted:.2g})"
