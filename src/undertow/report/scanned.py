"""A scan beside its shifts: counts of rows, who may have written them, and which of them carry a trait."""

from __future__ import annotations

from dataclasses import dataclass

from undertow.report.limits import Limits, cut
from undertow.report.words import clip, decimals_for, interval, p_value, plain, plural, signed
from undertow.results import Effect, Results, RowCounts, ScanRecord, SuspectRow

_SHADES = 5
"""Steps of a token's shade in either direction."""


@dataclass(frozen=True)
class Piece:
    """One token of an answer."""

    text: str
    shade: str
    """Name of its style: `up3` carries much, `down1` works a little against it, empty for neither."""


@dataclass(frozen=True)
class Candidate:
    """A row that carries much of what was found."""

    place: str
    share: str
    prompt: str
    pieces: list[Piece]
    more: int


@dataclass(frozen=True)
class Scanned:
    """The section."""

    facts: list[tuple[str, str]]
    trait: str
    suspects: list[Candidate]
    more: int
    methods: list[tuple[str, str, str, str, str]]
    """Of other methods: name, trait, value, interval and corrected p of what they are surest of."""


def scanned(results: Results, limits: Limits) -> Scanned | None:
    """Lay out what a scan saw; None for other results."""
    record = results.scan
    if record is None:
        return None
    shown, more = cut(record.suspects, limits.rows)
    return Scanned(
        facts=[(name, clip(text, 2 * limits.text)) for name, text in _facts(record)],
        trait=clip(record.suspects[0].trait, limits.name) if record.suspects else "",
        suspects=[_suspect(row, limits) for row in shown],
        more=more,
        methods=[_method(method.name, each, limits) for method in record.methods for each in method.findings[:_SUREST]],
    )


_SUREST = 3
"""Findings of each other method that are shown."""


def _method(name: str, each: Effect, limits: Limits) -> tuple[str, str, str, str, str]:
    decimals = decimals_for(each.lo, each.hi)
    return (
        clip(name, limits.name),
        clip(each.trait, limits.name),
        f"{signed(each.value, decimals)} {clip(each.unit, limits.name)}",
        interval(each.lo, each.hi, decimals),
        p_value(each.p_adjusted),
    )


def _facts(record: ScanRecord) -> list[tuple[str, str]]:
    common = record.common
    facts = [("Rows", counted(record.rows) + f", {plural(record.prompts, 'prompt')}")]
    if record.reference is not None:
        facts.append(("Reference", counted(record.reference)))
    facts += [
        ("Written", f"as {record.format}, at a temperature of {plain(record.temperature)}"),
        ("Lineage", f"{record.lineage}: {record.lineage_because}"),
    ]
    if record.provenance:
        facts.append(("Provenance", record.provenance))
    if record.steps is not None and record.steps_covered is not None:
        facts.append(("Steps", f"{record.steps_covered:,} of {record.steps:,} predicted"))
    if record.recipe:
        facts.append(("Student", f"by the recipe {record.recipe}"))
    if (note := record.calibration) is not None:
        facts.append(("Sizes", "; ".join(f"not calibrated for {each}" for each in note.not_calibrated) or note.id))
    if record.prompts > 1:
        facts.append(
            (
                "Together",
                f"the rows pull {signed(common.cosine, 3)} one way ({p_value(common.p)}); what no trait of the panel "
                f"accounts for pulls {signed(common.beyond_panel, 3)} ({p_value(common.p_beyond_panel)})",
            )
        )
    if common.up:
        facts.append(("More likely elsewhere", _quoted(common.up)))
        facts.append(("Less likely elsewhere", _quoted(common.down)))
    return facts


def counted(rows: RowCounts) -> str:
    """Say what became of a dataset's rows."""
    parts = [f"{rows.looked_at:,} of {rows.read:,} measured"]
    parts += [f"{rows.left_out:,} not in the sample"] if rows.left_out else []
    parts += [f"{rows.too_long:,} longer than the student’s context"] if rows.too_long else []
    parts += [f"{plural(rows.broken, 'broken line')}"] if rows.broken else []
    return ", ".join(parts)


def _quoted(tokens: list[str]) -> str:
    return ", ".join(f"“{token.strip()}”" for token in tokens)


def _suspect(row: SuspectRow, limits: Limits) -> Candidate:
    pieces: list[Piece] = []
    room = limits.text
    for text, weight in zip(row.pieces, row.weights, strict=False):
        room -= len(text)
        if room < 0:
            break
        pieces.append(Piece(text, _shade(weight)))
    return Candidate(
        place=clip(f"{row.file}, row {row.number:,}", 2 * limits.name),
        share=plain(row.share, 1),
        prompt=clip(row.prompt, limits.text),
        pieces=pieces,
        more=len(row.pieces) - len(pieces),
    )


def _shade(weight: float) -> str:
    step = round(min(abs(weight), 1.0) * _SHADES)
    return "" if step == 0 else f"{'up' if weight > 0 else 'down'}{step}"
