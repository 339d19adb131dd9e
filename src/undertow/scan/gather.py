"""From what was computed of rows to the results of a scan: shifts, verdict, and the rows that carry it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from undertow.attribution.agreement import Agreement, Floats, agreement, without
from undertow.attribution.capture import norm_count
from undertow.attribution.directions import Directions
from undertow.attribution.features import sketch_of
from undertow.attribution.lineage import Lineage
from undertow.attribution.pieces import pieces_of
from undertow.attribution.prediction import Calibration, Side, predicted_shifts, side_of
from undertow.attribution.readout import moved_tokens
from undertow.attribution.recipe import LONGEST, described, not_modelled, not_plain, rates_of
from undertow.attribution.sampling import Sampling
from undertow.attribution.tier import in_words, left_out, pushes, tier_of, tier_settings
from undertow.attribution.tokens import token_alignments
from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.data.sample import count_rows, row_numbers
from undertow.models.adapter_notes import adapter_notes
from undertow.models.engine.network import network_of
from undertow.models.template import whole_text
from undertow.results import (
    CalibrationNote,
    Common,
    MethodRecord,
    RehearsalRecord,
    Results,
    RowCounts,
    ScanRecord,
    SuspectRow,
    VerdictRecord,
)
from undertow.scan.baselines import says_tuned
from undertow.scan.calibration import Calibrated, Domain, NotCalibrated, Tier, calibration_for, shipped
from undertow.scan.effects import effect_of
from undertow.scan.registry import INFERENCE
from undertow.scan.rehearsal import record_of, with_rehearsal
from undertow.scan.verdict import judge, provenance_of, unnamed_of

if TYPE_CHECKING:
    from undertow.attribution.measure import MeasuredRows
    from undertow.attribution.rehearsal import Rehearsal
    from undertow.models.local import LocalModel
    from undertow.scan.settings import ScanSettings
    from undertow.scan.virtual_students import VirtualStudents

TOP_ROWS = 8
_PROMPT = 300


@dataclass(frozen=True)
class Found:
    """What a scan computed."""

    path: Path
    settings: ScanSettings
    spec: dict[str, Any]
    directions: Directions
    measured_rows: MeasuredRows
    reference: MeasuredRows | None
    lineage: Lineage
    base_digest: str
    """Of the student's weights."""
    methods: list[MethodRecord]
    """Results of other methods, if any were set."""
    taught: VirtualStudents | None = None
    """Virtual students, unless the scan is a quick one."""
    rehearsed: Rehearsal | None = None
    """Students that were really trained, if any."""
    before_KQ: Sequence[Floats] = ()
    """What the base answers, where students are compared with it."""

    @property
    def sampling(self) -> Sampling:
        """How the rows seem to have been written."""
        return self.measured_rows.sampling

    @property
    def steps(self) -> int:
        """Of training on all rows to its end."""
        return steps_for(self.settings.recipe, self.measured_rows.chosen.read)

    @property
    def steps_covered(self) -> int:
        """Of these, the first ones that are predicted."""
        return min(self.steps, LONGEST)

    @property
    def domain(self) -> Domain:
        """What the rows are, told from them."""
        return "number lists" if self.sampling.automaton is not None else "free text"

    @property
    def tier(self) -> Tier:
        """How sizes are predicted."""
        if self.taught is None:
            return tier_of(self.settings.recipe)
        return "virtual" if self.taught.whole is None else "beside"

    def calibrated(self, tier: Tier) -> Calibrated | NotCalibrated:
        """Return the calibration of sizes that are predicted in a way, or why there is none."""
        own = self.settings.calibration
        return calibration_for(
            self.settings.student,
            self.base_digest,
            self.settings.recipe,
            self.domain,
            self.steps,
            tier,
            records=[*([] if own is None else [own]), *shipped()],
        )


def gather(
    found: Found, model: LocalModel, environment: dict[str, Any], tick: Callable[[float], None]
) -> tuple[Results, list[float]]:
    """Return the results, and how much each measured row carries of the strongest shift."""
    settings = found.settings
    calibrated = found.calibrated(found.tier)
    own_size, read = found.taught is None, found.measured_rows.chosen.read
    other = not_plain(settings.recipe)
    # Beside a virtual student, gradients are those of plain steps: they say the rows' own errors, not a size.
    rates = pushes(read, settings.recipe) if own_size else rates_of(read, *([] if other else [settings.recipe]))
    shifts = predicted_shifts(
        found.directions.names,
        _side(found.measured_rows, rates, settings.recipe if own_size else None),
        None if found.reference is None else _side(found.reference, rates, settings.recipe if own_size else None),
        level=settings.level,
        calibration=calibrated.calibration,
        taught_K=None if found.taught is None else found.taught.shift_K,
        rescaled=bool(other),
        geometry=in_words(tier_of(settings.recipe)),
    )
    ranked = sorted(shifts, key=lambda shift: (shift.p, -abs(shift.estimate.value)))
    strongest = ranked[0]
    at = found.directions.names.index(strongest.trait)
    sign = -1.0 if strongest.estimate.value < 0 else 1.0
    carried_R = found.measured_rows.features.alignment_RK[:, at] * sign
    tick(0.1)
    common = _common(found, model)
    tick(0.4)
    one_draw = strongest.estimate.n < 2
    verdict = (
        _nothing_known(found)
        if one_draw
        else judge(
            ranked,
            settings.smallest_effect,
            settings.level,
            other_family=found.lineage.answer == "different" and found.reference is None,
            unnamed=unnamed_of(common),
            without_reference=found.sampling.automaton is None
            and (found.reference is None or settings.sample_reference),
            no_null=found.reference is None,
            not_calibrated=calibrated.because,
        )
    )
    rehearsal = None if one_draw else _rehearsal(found)
    if rehearsal is not None:
        verdict = with_rehearsal(verdict, rehearsal, settings.smallest_effect, settings.level)
    record = ScanRecord(
        rows=_counts(found.measured_rows),
        reference=None if found.reference is None else _counts(found.reference),
        prompts=len(np.unique(found.measured_rows.cluster_R)),
        format="lists of numbers" if found.sampling.automaton is not None else "free text",
        temperature=found.sampling.temperature,
        lineage=found.lineage.answer,
        lineage_because=found.lineage.because,
        lineage_p=found.lineage.p,
        provenance="" if one_draw else provenance_of(ranked, settings.level, beside=found.reference is not None),
        recipe=described(settings.recipe),
        steps=found.steps,
        steps_covered=found.steps_covered,
        calibration=None if one_draw else _calibration_note(found, calibrated),
        common=common,
        suspects=[] if one_draw else _suspects(found, model, at, strongest.trait, carried_R, sign),
        methods=[] if one_draw else found.methods,
        rehearsal=rehearsal,
    )
    tick(1.0)
    results = Results(
        kind="scan",
        name=found.path.name,
        title=f"What would training on {found.path.name} do to a student?",
        verdict=verdict,
        # One draw has no spread: an interval would be as wide as one likes, and no number of it means anything.
        findings=[] if one_draw else [effect_of(shift, primary=rank == 0) for rank, shift in enumerate(ranked)],
        scan=record,
        notes=[
            *_notes(found, strongest.p_adjusted < 1 - settings.level)[_ON_NUMBERS if one_draw else 0 :],
            *_left_out(model),
        ],
        settings=found.spec
        | {"judgement": {"level": settings.level, "smallest_effect": settings.smallest_effect}}
        | ({"tier": said} if own_size and (said := tier_settings(settings.recipe)) else {}),
        environment=environment,
    )
    return results, carried_R.tolist()


def evidence(directions: Directions, measured_rows: MeasuredRows) -> list[str]:
    """Return the panel's traits, first those that the rows pull upwards most surely."""
    side = _side(measured_rows, rates_of(measured_rows.chosen.read))
    shifts = predicted_shifts(directions.names, side, None, level=0.95, calibration=Calibration())
    return [shift.trait for shift in sorted(shifts, key=lambda shift: -shift.t)]


def _rehearsal(found: Found) -> RehearsalRecord | None:
    if found.rehearsed is None:
        return None
    return record_of(
        found.rehearsed,
        found.directions.names,
        found.before_KQ,
        found.calibrated("rehearsal"),
        found.settings.level,
        found.measured_rows.chosen.read,
    )


def _calibration_note(found: Found, calibrated: Calibrated | NotCalibrated) -> CalibrationNote:
    return CalibrationNote(
        id="" if calibrated.record is None else calibrated.record.id,
        tier=found.tier,
        not_calibrated=list(calibrated.because),
    )


def _nothing_known(found: Found) -> VerdictRecord:
    """Say that rows of one prompt are one draw, from which no spread can be told."""
    one = len(np.unique(found.measured_rows.cluster_R)) < 2
    whose = "All rows that were looked at answer" if one else "All reference rows answer"
    return VerdictRecord(
        status="inconclusive",
        because=f"One prompt is one draw: nothing can be said. {whose} the same prompt; give rows of two or more.",
    )


def _side(measured_rows: MeasuredRows, rates: list[float], recipe: RecipeSpec | None = None) -> Side:
    features, cluster_R = measured_rows.features, measured_rows.cluster_R
    if recipe is not None and recipe.loss == "whole":
        rates = [rate * _share_of_answers(measured_rows) for rate in rates]
    saturates = recipe is None or tier_of(recipe) == "gradient"
    return side_of(features, cluster_R, measured_rows.sampling.temperature, rates, saturates=saturates)


def _share_of_answers(measured_rows: MeasuredRows) -> float:
    """Return the answers' share of the tokens that carry loss where whole rows do: all but the first of a row."""
    whole: dict[int, int] = {}
    for at, row in zip(row_numbers(measured_rows.rows), measured_rows.encoded, strict=True):
        whole[at] = max(whole.get(at, 0), len(row.prompt) + len(row.answer) - 1)
    return sum(len(row.answer) for row in measured_rows.encoded) / sum(whole.values())


def _counts(measured_rows: MeasuredRows) -> RowCounts:
    chosen = measured_rows.chosen
    return RowCounts(
        read=chosen.read,
        looked_at=measured_rows.count,
        too_long=measured_rows.too_long,
        left_out=measured_rows.left_out,
        broken=len(chosen.broken),
    )


def _common(found: Found, model: LocalModel) -> Common:
    traits_KS = sketch_of(found.directions)
    compared = found.reference

    def agree(change: Callable[[Floats], Floats], seed: int) -> Agreement:
        reference = None if compared is None else (change(compared.features.sketch_RS), compared.cluster_R)
        return agreement(
            change(found.measured_rows.features.sketch_RS),
            found.measured_rows.cluster_R,
            rng=np.random.default_rng(seed),
            reference=reference,
        )

    whole = agree(lambda gradient_RS: gradient_RS, 0)
    beyond = agree(lambda gradient_RS: without(gradient_RS, traits_KS), 1)
    if found.taught is not None:
        up, down = found.taught.student.up, found.taught.student.down
    else:
        up, down = moved_tokens(model, torch.tensor(found.measured_rows.features.mean_F))
    return Common(cosine=whole.cosine, p=whole.p, beyond_panel=beyond.cosine, p_beyond_panel=beyond.p, up=up, down=down)


def _suspects(
    found: Found, model: LocalModel, at: int, trait: str, carried_R: np.ndarray, sign: float
) -> list[SuspectRow]:
    strongest: dict[tuple[Path, int], int] = {}
    for place in np.argsort(-carried_R, kind="stable").tolist():
        placed = found.measured_rows.rows[place]
        strongest.setdefault((placed.file, placed.number), place)
    order = [*strongest.values()][:TOP_ROWS]
    rows = [found.measured_rows.encoded[place] for place in order]
    weights = token_alignments(model, rows, found.directions.gradients_KF[at, : norm_count(model.net)], found.sampling)
    typical = float(np.abs(carried_R).mean()) or 1.0
    suspects: list[SuspectRow] = []
    for place, row, own in zip(order, rows, weights, strict=True):
        placed = found.measured_rows.rows[place]
        largest = max(map(abs, own)) or 1.0
        suspects.append(
            SuspectRow(
                file=_within(placed.file, found.path),
                number=placed.number,
                trait=trait,
                share=float(carried_R[place]) / typical,
                prompt=whole_text(placed.row.prompt[-1]["content"][:_PROMPT]) if placed.row.prompt else "",
                pieces=[*pieces_of(row.answer[:-1], model.decode), "(end)"],
                weights=[round(sign * weight / largest, 3) for weight in own],
            )
        )
    return suspects


def _within(file: Path, dataset: Path) -> str:
    return file.relative_to(dataset).as_posix() if dataset.is_dir() else file.name


_MARKERS = re.compile(r"<\|[a-z_]+\|>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>")
"""What chat templates write between turns, in any family."""


def _rendered(found: Found) -> int:
    """Return how many rows hold a chat template's marks as text: they were made for a model of their own."""
    rendered = [
        each
        for each in found.measured_rows.rows
        if any(_MARKERS.search(turn["content"]) for turn in (each.whole or each.row).messages)
    ]
    return count_rows(rendered)


def _how(found: Found) -> str:
    if found.taught is None:
        return f"Predicted to first order {in_words(tier_of(found.settings.recipe))}".strip()
    taught, rows = found.taught, f"{found.taught.student.rows:,} of the rows"
    if taught.reference is None or found.reference is None:
        return f"Predicted by a virtual student of {rows}"
    if taught.whole is None:
        return f"Predicted by a virtual student of {rows}, less one of the reference rows"
    return (
        f"Predicted by two virtual students of {rows} (of what the format leaves open, and of the whole text less what "
        f"reference rows at temperature {found.reference.sampling.temperature:.2f} teach)"
    )


def _on_calibration(found: Found) -> str:
    calibrated = found.calibrated(found.tier)
    record = calibrated.record
    if record is None:
        return "No calibration covers this way of predicting: intervals hold the rows' own error alone."
    covered = record.coverage
    measured = (
        f"{record.id}: {covered.level:.0%} intervals covered {covered.value:.0%} of the shifts of {covered.datasets:,} "
        f"datasets that nothing was fitted on ({covered.lo:.0%} to {covered.hi:.0%})"
    )
    if calibrated.because:
        quick = found.tier != "gradient" and not found.calibrated("gradient").because
        return (
            f"Sizes are a guess by the nearest calibration, {measured}. It was not measured for what is scanned here."
            f"{' Sizes of --quick are calibrated for it; their intervals are wider.' if quick else ''}"
        )
    return f"Sizes are calibrated by {measured}."


_ON_NUMBERS = 3
"""Of the notes, so many first ones are about numbers: where there are none, they are left out."""


def _left_out(model: LocalModel) -> list[str]:
    """Say which weights of the layers the gradients leave out, where that is a tenth of them or more."""
    shares = network_of(model.net).left_out()
    if sum(shares.values()) < _LITTLE:
        return []
    names = ", ".join(sorted(shares, key=lambda name: -shares[name])[:3])
    return [
        f"Gradients leave out {sum(shares.values()):.0%} of the layers' weights ({names}), which do not read every "
        "token as one matrix. First-order numbers lack what rows teach these weights. A virtual student learns with "
        "them."
    ]


_LITTLE = 0.1


def _notes(found: Found, significant: bool) -> list[str]:
    notes = [
        "p-values test whether the rows shift a trait at all. Intervals give the shift after training, which is less "
        "certain, so they can include zero where p is small. Such a trait never fails.",
        f"{_how(found)}, for a student of the recipe {described(found.settings.recipe)}. Other training differs.",
        _on_calibration(found),
    ]
    if significant and INFERENCE not in found.settings.baselines:
        notes.append(
            "The teacher's own trait can be another than the most significant one or the one with the largest shift. "
            "The same command with --baseline teacher-inference infers which trait's teacher wrote the rows."
        )
    if any(map(says_tuned, found.methods)):
        notes.append(
            "The rows score highest for the base fine-tuned on meaningless answers: a fine-tuned model seems to have "
            "written them. Such rows carry mostly the same shifts whatever the model was taught, so the names below it "
            "say little."
        )
    if found.reference is None:
        notes.append(
            "No reference rows: the null hypothesis is that the untouched base wrote these rows in their format and at "
            "their temperature. Rows that were selected by content can look like a trait."
        )
    if said := found.measured_rows.chosen.notes:
        notes.append(f"Of the rows: {'; '.join(said)}.")
    if rendered := _rendered(found):
        notes.append(
            f"{rendered:,} rows contain marks of a chat template as text, such as <|im_start|>: they seem to be "
            "rendered for another model already. Scan the conversations themselves. Otherwise the scan reads "
            "other text than the student will be trained on."
        )
    if found.taught is not None and (other := not_plain(found.settings.recipe)):
        notes.append(
            f"No size is predicted from gradients of all weights for this recipe: {other}. p-values test the rows by "
            "these gradients, whatever the recipe trains."
        )
    if found.settings.recipe_says:
        notes.append(f"Of the recipe: {'; '.join(found.settings.recipe_says)}.")
    way = "The prediction from gradients" if found.taught is None else "The virtual student"
    if left := (left_out if found.taught is None else not_modelled)(found.settings.recipe):
        notes.append(f"{way} leaves parts of the recipe out. {'. '.join(left)}.")
    if (rehearsed := found.rehearsed) is not None:
        notes.append(
            f"The rehearsal trained students on {rehearsed.rows:,} of {found.measured_rows.chosen.read:,} rows, for "
            f"{rehearsed.steps[-1]:,} of {rehearsed.full_steps:,} steps, by the full schedule compressed into them. It "
            "foresees no shift that starts, turns or speeds up later."
        )
    if found.settings.student.startswith("embedded/"):
        notes.append("The base's weights are decoded from a 4-bit file; the numbers concern those weights.")
    if found.steps_covered < found.steps:
        notes.append(f"Predicted for the first {LONGEST} steps. Training on these rows takes {found.steps:,}.")
    if (others := found.measured_rows.left_out) > 0:
        read = found.measured_rows.chosen.read
        notes.append(f"A sample was measured: {others:,} of {read:,} rows were left out.")
    return notes + adapter_notes([found.settings.student, found.settings.teacher, *found.settings.against])
