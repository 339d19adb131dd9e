"""`undertow audit`: from a base and a student to findings, in a run folder whose finished steps are not made again.

outcome = audit(AuditSettings(base="embedded/smollm2-135m", student="hf/FOLDER"))
outcome.results.verdict
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from undertow.audit.settings import AuditSettings, Prices, Sources
from undertow.data.digest import dataset_sha256
from undertow.errors import InputError
from undertow.results import Results
from undertow.scan.reading import Chosen, choose_rows
from undertow.store.folder import RunFolder
from undertow.system.progress import Progress, Silent
from undertow.traits.panel import Panel, load_panel

if TYPE_CHECKING:
    from undertow.audit.looking import Looking


@dataclass(frozen=True)
class AuditOutcome:
    """A finished audit."""

    folder: Path
    results: Results
    report: Path


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
        progress: Is told how far it is.

    Raises:
        UndertowError: see the subclasses.
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
        from undertow.audit.asking import audit_by_sampling

        return AuditOutcome(*audit_by_sampling(settings, panel, sources, prices or Prices(), progress))
    chosen = _choose(sources, progress)
    spec: dict[str, Any] = {
        "kind": "audit",
        **settings.model_dump(mode="json", exclude={"samples", "power"}),
        "rows": None if sources.rows is None else sources.rows.name,
        "rows_digest": None if chosen is None else _digest(chosen),
    }
    from undertow.audit.looking import Looking
    from undertow.models.precision import set_up_process

    threads = set_up_process()
    name = folder_name(settings.student)
    with (
        RunFolder.open(sources.runs, name=name, spec=spec, progress=progress) as folder,
        Looking.begin(folder, settings, panel, progress) as looking,
    ):
        return _carry_out(folder, looking, settings, spec, panel, chosen, sources, threads, progress)


def _carry_out(
    folder: RunFolder,
    looking: Looking,
    settings: AuditSettings,
    spec: dict[str, Any],
    panel: Panel,
    chosen: Chosen | None,
    sources: Sources,
    threads: int,
    progress: Progress,
) -> AuditOutcome:
    from undertow.audit.gather import Found, gather
    from undertow.report import render_html
    from undertow.store.machine import environment

    who = list(settings.models())
    shares = iter(np.linspace(0.0, 0.5, len(who) + 1).tolist()[:-1])
    odds = {each: looking.panel_of(each, next(shares), 0.5 / len(who)) for each in who}
    able = {each: looking.capability_of(each) for each in ("base", "student")}
    kin = looking.kin()
    change = looking.change()
    unnamed = looking.unnamed()
    traced = None
    if chosen is not None and sources_match(looking):
        traced = looking.traced(chosen, odds)
    known = {"base_sha256": looking.digests["base"], "student_sha256": looking.digests["student"]}
    if sources.rows is not None:
        known["rows_sha256"] = dataset_sha256(sources.rows, sources.split)
    results = gather(
        Found(settings, spec, panel, odds, able, kin, change, unnamed, looking.obstacle, traced, chosen),
        environment(threads) | known,
    )
    folder.write("results.json", results.to_json())
    page = folder.write("report.html", render_html(results))
    progress.update("audit", 1.0, "done")
    return AuditOutcome(folder.path, results, page)


def sources_match(looking: Looking) -> bool:
    """Whether rows can be traced: the student's weights are of the base's shape."""
    if looking.obstacle:
        looking.progress.note(f"the rows cannot be traced: {looking.obstacle}")
    return not looking.obstacle


def _choose(sources: Sources, progress: Progress) -> Chosen | None:
    if sources.rows is None:
        return None
    return choose_rows(
        sources.rows,
        split=sources.split,
        skip_broken=sources.skip_broken,
        on_progress=lambda count: progress.update("reading", 0.0, f"{count:,} rows"),
    )


def _digest(chosen: Chosen) -> str:
    ids = json.dumps([placed.row.id for placed in chosen.rows] + [str(chosen.read)])
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


def folder_name(student: str) -> str:
    """Return the name of a run folder for a student."""
    import re

    last = re.sub(r"[^a-z0-9]+", "-", student.lower().rsplit("/", 1)[-1]).strip("-")
    return f"audit-{last[:40] or 'student'}"
