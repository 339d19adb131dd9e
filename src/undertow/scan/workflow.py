"""`undertow scan`: from a file of rows to findings, in a run folder whose finished steps are not made again.

outcome = scan(Path("rows.jsonl"), ScanSettings(student="embedded/smollm2-135m"), root=Path("runs"))
outcome.results.verdict
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undertow.attribution.recipe import not_plain
from undertow.attribution.tier import no_first_order
from undertow.config.registries import origins_in
from undertow.data.digest import dataset_sha256
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.sample import MOST, Chosen, Placed, choose_rows
from undertow.errors import InputError
from undertow.models.engine.setting import engine, engine_key
from undertow.models.identity import identity_of
from undertow.pipeline.shortage import within_memory
from undertow.results import MethodRecord, Results
from undertow.scan.budget import FEWEST, TAUGHT, Plan, plan_within, usual_taught
from undertow.scan.lineage import refuse_same_models
from undertow.scan.registry import BASELINES
from undertow.scan.rehearsal import LEFT
from undertow.scan.settings import ScanSettings
from undertow.store.folder import RunFolder
from undertow.store.record import stored
from undertow.system.names import slug
from undertow.system.progress import Progress, Silent
from undertow.traits.panel import Panel, load_panel

if TYPE_CHECKING:
    from undertow.attribution.measure import EncodedRows, MeasuredRows, Setup


@dataclass(frozen=True)
class ScanOutcome:
    """A finished scan: what `scan` returns."""

    folder: Path
    """The run folder."""
    results: Results
    """What results.json in it holds."""
    report: Path
    """The page for people, report.html."""
    rows: list[Placed]
    """The measured rows."""
    carried_R: list[float]
    """How much each of them carries of what was found, in nats: of the trait with the strongest evidence."""


def scan(
    path: Path,
    settings: ScanSettings,
    *,
    reference: Path | None = None,
    split: str | None = None,
    skip_broken: bool = False,
    reading: Reading = RECOGNISED,
    root: Path = Path("runs"),
    progress: Progress | None = None,
) -> ScanOutcome:
    """Predict what training on a dataset does to a student.

    Args:
        path: The dataset.
        settings: What to do.
        reference: Rows that the untouched base wrote, best on the same prompts.
        split: Of a folder.
        skip_broken: Leave lines out that are no rows.
        reading: How records become rows, and which turns carry loss.
        root: Where run folders lie.
        progress: Receives the progress.

    Returns:
        The run folder, the results, the report, and a score for each row.

    Raises:
        InputError: Settings exclude each other.
        UndertowError: See the subclasses.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import ScanSettings, scan
        >>> outcome = scan(Path("rows.jsonl"), ScanSettings(student="hf/base", traits=("curtness",)))
        >>> outcome.results.scan.rows.looked_at
        24
        >>> [effect.trait for effect in outcome.results.findings]
        ['curtness:curtness']
    """
    progress = progress or Silent()
    if reference is not None and settings.sample_reference:
        raise InputError("both give reference rows", "reference and sample_reference", "Give one of them.")
    if settings.temperature is not None and not settings.sample_reference:
        raise InputError("is the temperature of the base's own answers", "temperature", "Set sample_reference as well.")
    if not settings.virtual and (why := no_first_order(settings.recipe)):
        raise InputError(
            "leaves no virtual student, and gradients alone predict no size for the recipe "
            f"{settings.recipe.name}: {why}",
            "--quick",
            "Leave it out.",
        )
    if settings.rehearsal is not None and reference is None and not settings.sample_reference:
        raise InputError(
            "compares students of the rows with students of reference rows, and there are none",
            "--rehearse",
            "Name rows of a harmless teacher or of the base (--reference), or add --sample-reference.",
        )
    refuse_same_models(settings, progress)
    panel = load_panel(settings.traits)

    def tell(count: int) -> None:
        progress.update("reading", 0.0, f"{count:,} rows")

    chosen = choose(path, settings, split=split, skip_broken=skip_broken, reading=reading, on_progress=tell)
    others = None
    if reference is not None:
        others = choose(reference, settings, skip_broken=skip_broken, reading=reading, on_progress=tell)
    if others is not None and _ids(others) == _ids(chosen):
        raise InputError(
            "holds the same rows as the dataset",
            str(reference),
            "Name rows that the untouched base wrote, or leave --reference out.",
        )
    spec: dict[str, Any] = {
        "kind": "scan",
        "rows": path.name,
        "rows_digest": chosen.digest,
        "reference": None if reference is None else reference.name,
        "reference_digest": None if others is None else others.digest,
        **settings.model_dump(mode="json"),
        **({"reading": said} if (said := reading.settings()) else {}),
    }
    # Steps of an earlier scan of these rows are reused, whatever else the two scans compute.
    with (
        engine(settings.engine),
        RunFolder.open(root, name=_folder_name(path), spec=spec, progress=progress, reuses=True) as folder,
        within_memory("scan", progress, foretold=lambda: _foretold(settings, panel, chosen), less=_LESS) as told,
    ):
        return _carry_out(folder, path, split, settings, spec, panel, chosen, others, told)


_LESS = ("a recipe with an adapter (--recipe lora-sft)", "--quick", "fewer traits (--trait)")


def _foretold(settings: ScanSettings, panel: Panel, chosen: Chosen) -> str:
    from undertow.models.size import size_of
    from undertow.pipeline.forecast import asked_by, forecast_scan, in_words, rows_of

    count = len(chosen.rows)
    rows = rows_of(chosen, count, usual_taught(chosen.read, count) if settings.virtual else 0)
    return in_words(forecast_scan(size_of(settings.student), rows, asked_by(panel), settings.recipe))


def choose(
    path: Path,
    settings: ScanSettings,
    *,
    split: str | None = None,
    skip_broken: bool = False,
    reading: Reading = RECOGNISED,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Chosen:
    """Return the rows of a dataset that a scan with these settings measures.

    Args:
        path: The dataset.
        settings: Of the scan.
        split: Of a folder.
        skip_broken: Leave lines out that are no rows.
        reading: How records become rows, and which turns carry loss.
        on_progress: Called with the number of rows read.

    Raises:
        RowError: see `choose_rows`.
    """
    return choose_rows(
        path,
        split=split,
        most=settings.most_rows or (MOST if settings.budget is not None else None),
        everything=settings.everything,
        skip_broken=skip_broken,
        reading=reading,
        on_progress=on_progress,
    )


def _carry_out(
    folder: RunFolder,
    path: Path,
    split: str | None,
    settings: ScanSettings,
    spec: dict[str, Any],
    panel: Panel,
    chosen: Chosen,
    others: Chosen | None,
    progress: Progress,
) -> ScanOutcome:
    from undertow.attribution.lifted import lifted_directions
    from undertow.attribution.measure import Setup, base_answers, encode_dataset, encode_reference
    from undertow.attribution.stored import base_odds_of, directions_of, panel_digest
    from undertow.models.local import load_base
    from undertow.models.precision import choose_precision, set_up_process
    from undertow.models.verify import pass_note
    from undertow.report import render_html
    from undertow.scan.gather import Found, gather
    from undertow.scan.lineage import lineage_of
    from undertow.scan.rehearsal import rehearse_rows
    from undertow.scan.virtual_students import students_of, virtual_students
    from undertow.store.machine import environment

    start = time.monotonic()
    digest = identity_of(settings.student, progress)
    threads = set_up_process(many_lengths=True)
    # Virtual teachers and students of all weights change them.
    changed = settings.recipe.adapter is None or bool(settings.baselines)
    model = load_base(settings.student, dtype="float32" if changed else "frozen")
    directions = directions_of(
        model, digest, panel, on_progress=lambda done: progress.update("traits of the panel", _DIRECTIONS * done)
    )
    key = {"student": digest, "panel": panel_digest(panel), **engine_key()}
    setup = Setup(folder, model, panel, directions, key, choose_precision(), progress)
    opened = encode_dataset(model, chosen, "rows")
    compared = None if others is None else encode_reference(model, others, opened)
    asks = settings.virtual or settings.rehearsal is not None
    before_KQ = base_odds_of(model, digest, panel) if asks else []
    if not settings.virtual:
        setup = lifted_directions(
            setup, settings.recipe, opened, lambda done: progress.update("traits in the recipe's geometry", _DIRECTIONS)
        )
    plan = _plan(setup, settings, opened, compared, start)
    sides = [opened.cut(plan.rows), *([] if compared is None else [compared.cut(plan.rows)])]
    if settings.sample_reference:
        # Rows whose answer the base leaves empty are left out of the reference alone.
        known = settings.temperature or opened.sampling.temperature
        sides.append(
            base_answers(setup, sides[0], known, lambda done: progress.update("the base's own answers", _DIRECTIONS))
        )
    end = _ROWS_WITH_OTHERS if settings.baselines or settings.rehearsal else _LOOKED
    students = students_of(opened, compared, sampled=settings.sample_reference)
    bar = _Bar(progress, sum(side.count for side in sides), plan.taught * students, end)
    measured_rows, *reference = [_looked(setup, side, bar) for side in sides]
    taught = None
    if plan.taught:
        taught = virtual_students(
            setup,
            sides,
            plan.taught,
            before_KQ,
            lambda done: bar.tell("training a virtual student", done, ""),
            settings.recipe,
        )
    rehearsed, began = None, end
    if settings.rehearsal is not None:
        began = _REHEARSED if settings.baselines else _LOOKED
        rehearsed = rehearse_rows(
            setup,
            sides,
            settings,
            start,
            lambda share, told: progress.update("rehearsal", end + (began - end) * share, told),
        )
    methods = _also(setup, settings, sides, measured_rows, began) if settings.baselines else []
    plugins = origins_in([(BASELINES, name) for name in settings.baselines])
    lineage = lineage_of(folder, settings, model, digest, measured_rows, progress)
    results, carried = gather(
        Found(
            path,
            settings,
            spec,
            setup.directions,
            measured_rows,
            reference[0] if reference else None,
            lineage,
            digest,
            methods,
            taught,
            rehearsed,
            before_KQ,
        ),
        model,
        environment(threads)
        | {"base_sha256": digest, "engine": pass_note(model.net), "rows_sha256": dataset_sha256(path, split)}
        | ({"plugins": plugins} if plugins else {}),
        lambda done: progress.update("the rows that carry it", _LOOKED + (1 - _LOOKED) * done),
    )
    folder.write("results.json", results.to_json())
    page = folder.write("report.html", render_html(results))
    progress.update("scan", 1.0, "done")
    return ScanOutcome(folder.path, results, page, measured_rows.rows, carried)


_DIRECTIONS = 0.3
"""Share of the bar for finding the traits' directions, where they are not in the cache."""
_LOOKED, _ROWS_WITH_OTHERS, _REHEARSED = 0.97, 0.5, 0.8
"""Progress when the rows are measured. A rehearsal and baselines come after that, and take as long or longer."""


class _Bar:
    """Divides the progress bar between measured rows and trained rows."""

    def __init__(self, progress: Progress, looked_at: int, taught: int, end: float) -> None:
        self.progress, self.looked_at, self.taught, self.end = progress, looked_at, taught, end
        self.done = 0.0

    def tell(self, stage: str, count: float, detail: str) -> None:
        share = (self.done + count) / max(self.looked_at + self.taught, 1)
        self.progress.update(stage, _DIRECTIONS + (self.end - _DIRECTIONS) * share, detail)


def _looked(setup: Setup, opened: EncodedRows, bar: _Bar) -> MeasuredRows:
    from undertow.attribution.measure import measure_rows

    count = len(opened.rows)

    def tell(done: int) -> None:
        # The bar counts rows, as virtual students do; what is measured one by one may be answers.
        bar.tell(f"measuring the {opened.label}", opened.count * done / count, f"{done:,} of {count:,} {opened.unit}")

    measured_rows = measure_rows(setup, opened, tell)
    bar.done += opened.count
    return measured_rows


def _also(
    setup: Setup, settings: ScanSettings, sides: list[EncodedRows], measured_rows: MeasuredRows, began: float
) -> list[MethodRecord]:
    from undertow.scan.baselines import CANDIDATES, baseline_findings
    from undertow.scan.gather import evidence

    return baseline_findings(
        setup,
        sides[0],
        sides[1] if len(sides) > 1 else None,
        settings.baselines,
        suspects=evidence(setup.directions, measured_rows)[:CANDIDATES],
        level=settings.level,
        tick=lambda share: setup.progress.update("baselines", began + (_LOOKED - began) * share, f"{share:.0%}"),
    )


def _plan(
    setup: Setup, settings: ScanSettings, opened: EncodedRows, compared: EncodedRows | None, start: float
) -> Plan:
    """Choose the number of rows; with a budget, from the time of a few rows here."""
    count = opened.count
    if settings.budget is None:
        if not settings.virtual:
            return Plan(count, 0)
        if settings.everything:
            return Plan(count, count)
        if settings.most_rows is not None:
            return Plan(count, min(count, TAUGHT))
        return Plan(count, usual_taught(opened.chosen.read, count))
    from undertow.attribution.features import row_features
    from undertow.attribution.measure import sampled_answers
    from undertow.probes.panel import seconds_to_query
    from undertow.scan.virtual_students import students_of

    budget, sides = settings.budget, 1 if compared is None and not settings.sample_reference else 2
    share = 1.0 if settings.rehearsal is None else LEFT

    def measure() -> Plan:
        few = opened.cut(FEWEST)
        # Not the time in which the base's own answers came: they may have come from the cache.
        asking = seconds_to_query(setup.model, setup.panel) if settings.virtual else 0.0
        began = time.monotonic()
        if settings.sample_reference:
            # More rows at once take less each, so that this is rather too much.
            sampled_answers(setup.model, few, settings.temperature or opened.sampling.temperature)
        sampling, began = time.monotonic() - began, time.monotonic()
        row_features(setup.model, few.encoded, setup.directions, opened.sampling, autocast=setup.precision.autocast)
        now = time.monotonic()
        # What comes after the rows takes about as long as a few of them.
        left = (share * budget - (now - start) - (now - began)) / sides
        plan = plan_within(
            left,
            row=(now - began) / few.count,
            asking=asking,
            rows=count,
            students=students_of(opened, compared, sampled=settings.sample_reference) / sides,
            sampling=sampling / few.count / sides,
        )
        return Plan(plan.rows, plan.taught if settings.virtual else 0)

    rows = opened.chosen.digest
    key = {**setup.key, "budget": budget, "sides": sides, "virtual": settings.virtual, "rows": rows}
    if settings.sample_reference:
        key["sampling"] = "counted"
    if opened.unit != "rows":
        key["counts"] = "rows"  # a plan of an earlier version counts answers
    if settings.rehearsal is not None:
        key["share"] = share
    plan = stored(setup.folder, "plan", "plan", key, Plan, measure)
    if settings.virtual and not plan.taught and (why := not_plain(settings.recipe)):
        raise InputError(
            f"leaves no virtual student, and the recipe {settings.recipe.name} does not follow the gradients of all "
            f"weights: {why}",
            "--budget",
            "Give more time, or predict from gradients in the recipe's own geometry (--quick).",
        )
    return plan


def _ids(chosen: Chosen) -> list[str]:
    return sorted(placed.row.id for placed in chosen.rows)


def _folder_name(path: Path) -> str:
    return f"scan-{slug(path.stem)}"
