"""`undertow audit`: from a base and a student to findings, in a run folder whose finished steps are not made again.

outcome = audit(AuditSettings(base="embedded/smollm2-135m", student="hf/FOLDER"))
outcome.results.verdict
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from undertow.audit.settings import AuditSettings, Prices, Sources, folder_name
from undertow.data.digest import dataset_sha256
from undertow.data.sample import Chosen, choose_rows
from undertow.errors import InputError
from undertow.models.engine.setting import engine
from undertow.pipeline.shortage import within_memory
from undertow.results import Results
from undertow.store.folder import RunFolder
from undertow.system.progress import Progress, Silent
from undertow.traits.panel import Panel, load_panel

if TYPE_CHECKING:
    from undertow.audit.measure import Measurement
    from undertow.audit.panel import Odds


@dataclass(frozen=True)
class AuditOutcome:
    """A finished audit: what `audit` returns."""

    folder: Path
    """The run folder."""
    results: Results
    """What results.json in it holds."""
    report: Path
    """The page for people, report.html."""


def audit(
    settings: AuditSettings,
    sources: Sources | None = None,
    *,
    prices: Prices | None = None,
    progress: Progress | None = None,
) -> AuditOutcome:
    """Measure what a student acquired.

    Args:
        settings: Models and limits.
        sources: Rows to trace the change to, and where run folders lie.
        prices: Of models behind an address; they change what is shown, and no number.
        progress: Receives the progress.

    Returns:
        The run folder, the results and the report.

    Raises:
        UndertowError: See the subclasses.

    Examples:
        >>> from undertow import AuditSettings, audit
        >>> outcome = audit(AuditSettings(base="hf/base", student="hf/student", traits=("curtness",)))
        >>> outcome.results.audit.lineage
        'same'
    """
    progress = progress or Silent()
    sources = sources or Sources()
    panel = load_panel(settings.traits)
    if settings.by_sampling:
        if sources.rows is not None or settings.teacher is not None:
            raise InputError(
                "need a student's weights",
                "--rows and --teacher",
                "Leave them out where a model behind an address is audited.",
            )
        from undertow.audit.query import audit_by_sampling

        with within_memory("audit", progress, foretold=lambda: _foretold(settings, panel), less=_LESS) as progress:
            return AuditOutcome(*audit_by_sampling(settings, panel, sources, prices or Prices(), progress))
    chosen = _choose(sources, progress)
    spec: dict[str, Any] = {
        "kind": "audit",
        **settings.model_dump(mode="json", exclude={"samples", "power"}),
        "rows": None if sources.rows is None else sources.rows.name,
        "rows_digest": None if chosen is None else chosen.digest,
    }
    from undertow.audit.measure import Measurement
    from undertow.models.precision import set_up_process

    threads = set_up_process(many_lengths=True)
    name = folder_name(settings.student)
    with (
        engine(settings.engine),
        RunFolder.open(sources.runs, name=name, spec=spec, progress=progress) as folder,
        within_memory("audit", progress, foretold=lambda: _foretold(settings, panel), less=_LESS) as progress,
        Measurement.begin(folder, settings, panel, progress) as measurement,
    ):
        return _carry_out(folder, measurement, settings, spec, panel, chosen, sources, threads, progress)


_LESS = ("no --control", "models that are stored in bfloat16", "no --rows")


def _foretold(settings: AuditSettings, panel: Panel) -> str:
    from undertow.models.size import size_of
    from undertow.pipeline.forecast import asked_by, forecast_audit, in_words

    return in_words(forecast_audit(size_of(settings.base), asked_by(panel), controls=len(settings.controls)))


def _carry_out(
    folder: RunFolder,
    measurement: Measurement,
    settings: AuditSettings,
    spec: dict[str, Any],
    panel: Panel,
    chosen: Chosen | None,
    sources: Sources,
    threads: int,
    progress: Progress,
) -> AuditOutcome:
    from undertow.audit.gather import Found, gather
    from undertow.models.verify import PASSES, checked
    from undertow.report import render_html
    from undertow.store.machine import environment

    who = list(settings.models())
    shares = iter(np.linspace(0.0, 0.5, len(who) + 1).tolist()[:-1])
    odds: dict[str, Odds] = {}
    for each in who:
        measurement.tell_apart(each)
        odds[each] = measurement.panel_of(each, next(shares), 0.5 / len(who))
    able = {each: measurement.capability_of(each) for each in ("base", "student")}
    lineage = measurement.lineage()
    change = measurement.change()
    unnamed = measurement.unnamed()
    traced = None
    if chosen is not None and sources_match(measurement):
        traced, chosen = measurement.traced(chosen, odds)
    known: dict[str, Any] = {
        "base_sha256": measurement.digests["base"],
        "student_sha256": measurement.digests["student"],
        "model_digests": measurement.weights,
    }
    if (found := checked(measurement.digests["base"])) is not None:
        known["engine"] = PASSES[found.name]
    if sources.rows is not None:
        known["rows_sha256"] = dataset_sha256(sources.rows, sources.split)
    results = gather(
        Found(settings, spec, panel, odds, able, lineage, change, unnamed, measurement.obstacle, traced, chosen),
        environment(threads) | known,
    )
    folder.write("results.json", results.to_json())
    page = folder.write("report.html", render_html(results))
    progress.update("audit", 1.0, "done")
    return AuditOutcome(folder.path, results, page)


def sources_match(measurement: Measurement) -> bool:
    """Whether rows can be traced: the student's weights are of the base's shape."""
    if measurement.obstacle:
        measurement.progress.note(f"no row attribution: {measurement.obstacle}")
    return not measurement.obstacle


def _choose(sources: Sources, progress: Progress) -> Chosen | None:
    if sources.rows is None:
        return None
    return choose_rows(
        sources.rows,
        split=sources.split,
        skip_broken=sources.skip_broken,
        reading=sources.reading,
        on_progress=lambda count: progress.update("reading", 0.0, f"{count:,} rows"),
    )
