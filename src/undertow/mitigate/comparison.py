"""`undertow mitigate --compare RUN`: the same rows, seeds and recipe, with every method, against each other.

outcome = compare(Path("runs/mitigate-owl-numbers-1234abcd"), ("format", "unlearn"), root=Path("runs"))
outcome.results.mitigation
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from undertow.config.registries import origin_key, origins_in
from undertow.data.digest import dataset_sha256
from undertow.errors import InputError
from undertow.mitigate.effects import Treated, judge
from undertow.mitigate.methods import COMPARED, METHODS, MITIGATIONS, ORDINARY, applicable, method_named
from undertow.mitigate.source import ARMS, Source, open_source
from undertow.mitigate.student import StudentRecord, student_record
from undertow.models.adapter_notes import adapter_notes
from undertow.models.engine.setting import engine
from undertow.models.identity import model_digest
from undertow.models.local import find_model
from undertow.models.precision import Precision, choose_precision, set_up_process
from undertow.models.verify import PASSES, checked
from undertow.pipeline.files import ROWS
from undertow.pipeline.keys import student_key
from undertow.pipeline.recipes import recipe_notes
from undertow.pipeline.shortage import LESS, student_in_words, within_memory
from undertow.results import Results
from undertow.store.folder import RunFolder, planned_folder, planned_state
from undertow.store.record import stored
from undertow.system.progress import Progress, Silent

_VERSION = 1
"""Raised when a method does something else than before."""
_ASKED = 0.5
"""Of a student's time that its questions and held-out rows take."""


@dataclass(frozen=True)
class CompareOutcome:
    """A finished comparison of mitigations: what `compare_mitigations` returns."""

    folder: Path
    """The run folder."""
    results: Results
    """What results.json in it holds."""
    report: Path
    """The page for people, report.html."""


@dataclass(frozen=True)
class Planned:
    """A student to be trained."""

    method: str
    arm: str
    seed: int
    key: dict[str, Any]

    @property
    def takes(self) -> float:
        """Times an ordinary student; the base is only asked."""
        return _ASKED if self.method == "base" else method_named(self.method).takes

    @property
    def label(self) -> str:
        """Unique in the run folder."""
        stored = self.method if self.method == "base" else method_named(self.method).stored
        return f"{stored}-{self.arm}-s{self.seed}"


def students_of(source: Source, methods: Sequence[str], precision: Precision, by: str | None = None) -> list[Planned]:
    """Return every student of a comparison: the untrained base, ordinary ones, and those of every method.

    Args:
        source: The run.
        methods: Their names.
        precision: Of the matrix products.
        by: Model of another family, where a method wants one.

    Raises:
        InputError: a method does not exist, or lacks what it needs.
    """
    known = {method: method_named(method, "--method") for method in methods}
    for method in methods:
        if method == ORDINARY.name:
            raise InputError("is compared anyhow", f"--method {method}", "Leave it out.")
        if by is None and "another model" in known[method].needs:
            raise InputError("needs another model", f"--method {method}", "Give --by embedded/qwen2.5-coder-0.5b.")
    if len(set(methods)) < len(methods) or not methods:
        raise InputError("name methods once each", "--method", f"There are {', '.join(METHODS)}.")
    asks = any("another model" in each.needs for each in known.values())
    # What stands for an embedded model is known without its files.
    by_digest = model_digest(by, None if by.startswith("embedded/") else find_model(by)) if by and asks else None
    found: list[Planned] = []
    for seed in source.spec.seeds:
        for method in ("base", "none", *methods):
            for arm in ARMS if method != "base" else ARMS[1:]:
                key: dict[str, Any] = {
                    "version": _VERSION,
                    "method": known[method].stored if method in known else method,
                    "rows": source.tasks[f"rows-{arm}-s{seed}"].id,
                    "held_out": [source.tasks[f"rows-control-s{each}"].id for each in source.spec.seeds],
                    "student": student_key(source.spec.student),
                    "probe": source.traits.trait.probe_digest,
                    "trait": source.traits.trait.digest,
                    "base": source.digest,
                    "seed": seed,
                    "precision": precision.dtype,
                }
                if method in known:
                    key |= origin_key(MITIGATIONS, method)
                    if "another model" in known[method].needs:
                        key["by"] = by_digest
                found.append(Planned(method, arm, seed, key))
    return found


def compare(
    run: Path,
    methods: Sequence[str] = COMPARED,
    *,
    by: str | None = None,
    root: Path = Path("runs"),
    progress: Progress | None = None,
) -> CompareOutcome:
    """Compare mitigations on the rows, seeds and recipe of a finished run.

    Args:
        run: A finished run folder.
        methods: Their names.
        by: Model of another family, where a method wants one.
        root: Where run folders lie.
        progress: Is told how far it is.

    Returns:
        The run folder, the results and the report. The first line of `results.mitigation` is an ordinary training.

    Raises:
        UndertowError: See the subclasses.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import compare_mitigations
        >>> outcome = compare_mitigations(Path("run"), ("freeze",))
        >>> [line.method for line in outcome.results.mitigation]
        ['none', 'freeze']
    """
    from undertow.report import render_html
    from undertow.store.machine import environment

    progress = progress or Silent()
    threads, precision = set_up_process(), choose_precision()
    methods = [method_named(method, "--method", progress.note).name for method in methods]
    source = open_source(run, precision, progress)
    methods, left_out = _applicable(source, methods)
    planned = students_of(source, methods, precision, by)
    spec = _spec(source)
    records: dict[tuple[str, str, int], StudentRecord] = {}
    with (
        engine(source.spec.engine),
        RunFolder.open(root, name=_name(source), spec=spec, progress=progress) as folder,
        within_memory(
            "mitigate", progress, foretold=lambda: student_in_words(source.spec.base, source.spec.student), less=LESS
        ) as progress,
    ):
        for at, each in enumerate(planned):
            records[each.method, each.arm, each.seed] = _student(
                folder, source, each, precision, progress, at, planned, by
            )
        described = environment(threads) | {"precision": precision.dtype, "base_sha256": source.digest}
        described["datasets"] = {
            f"rows-{arm}-s{seed}": dataset_sha256(source.rows(arm, seed) / ROWS)
            for seed in source.spec.seeds
            for arm in ARMS
        }
        if (found := checked(source.digest)) is not None:
            described["engine"] = PASSES[found.name]
        if plugins := origins_in([(MITIGATIONS, method) for method in methods]):
            described["plugins"] = plugins
        said = [*adapter_notes([source.spec.base, by]), *left_out]
        results = _results(source, methods, records, spec, described, said)
        folder.write("results.json", results.to_json())
        page = folder.write("report.html", render_html(results))
        progress.update("mitigate", 1.0, "done")
        return CompareOutcome(folder.path, results, page)


def missing_students(run: Path, methods: Sequence[str], *, by: str | None = None, root: Path) -> tuple[int, int, float]:
    """Return how many students a comparison trains, how many of them are missing, and as how many ordinary ones."""
    precision = choose_precision()
    methods = [method_named(method, "--method").name for method in methods]
    source = open_source(run, precision, Silent())
    methods, _ = _applicable(source, methods)
    planned = students_of(source, methods, precision, by)
    states = planned_state(
        planned_folder(root, _name(source), _spec(source)),
        [("mitigated", each.label, each.key) for each in planned],
    )
    missing = [each for each, state in zip(planned, states, strict=True) if state == "missing"]
    return len(planned), len(missing), sum(each.takes for each in missing)


def _applicable(source: Source, methods: Sequence[str]) -> tuple[list[str], list[str]]:
    spec = source.spec.student.resolved
    whole_rows = spec is not None and spec.loss == "whole"
    return applicable(methods, adapters=source.spec.student.adapts, whole_rows=whole_rows)


def _name(source: Source) -> str:
    return f"compare-{source.spec.name}"[:60]


def _spec(source: Source) -> dict[str, Any]:
    # Without the methods: a comparison of more of them goes on with the students that are there.
    return {"kind": "mitigate", "experiment": source.spec.model_dump(mode="json")}


def _student(
    folder: RunFolder,
    source: Source,
    each: Planned,
    precision: Precision,
    progress: Progress,
    at: int,
    planned: Sequence[Planned],
    by: str | None,
) -> StudentRecord:
    before, whole = sum(other.takes for other in planned[:at]), sum(other.takes for other in planned)

    def tick(share: float) -> None:
        done = (before + share * each.takes) / whole
        progress.update(each.label, done, f"student {at + 1} of {len(planned)}")

    def train() -> StudentRecord:
        tick(0.0)
        return student_record(source, each.method, each.arm, each.seed, precision, tick, by)

    return stored(folder, "mitigated", each.label, each.key, StudentRecord, train)


def _results(
    source: Source,
    methods: Sequence[str],
    records: dict[tuple[str, str, int], StudentRecord],
    spec: dict[str, Any],
    environment: dict[str, Any],
    said: Sequence[str],
) -> Results:
    seeds = source.spec.seeds

    def table(method: str, arm: str, what: str) -> np.ndarray:
        return np.array([getattr(records[method, arm, seed], what) for seed in seeds])

    def treated(method: str) -> Treated:
        held = [records[method, "trait", seed].in_format for seed in seeds]
        in_format_S = None if any(each is None for each in held) else np.array(held)
        return Treated(
            table(method, "trait", "odds"),
            table(method, "control", "odds"),
            table(method, "trait", "loss"),
            in_format_S,
        )

    judgement = source.spec.judgement
    lines, effects, verdict = judge(
        source.traits.trait.target,
        table("base", "control", "loss"),
        treated("none"),
        {method: treated(method) for method in methods},
        level=judgement.level,
    )
    return Results(
        kind="mitigate",
        name=_name(source),
        title=f"Which method keeps {source.traits.trait.topic} from passing?",
        verdict=verdict,
        effects=effects,
        mitigation=lines,
        notes=[*_notes(source), *said],
        settings=spec | {"methods": list(methods), "judgement": judgement.model_dump(mode="json")},
        environment=environment,
    )


def _notes(source: Source) -> list[str]:
    notes = [
        "Transfer is trait minus control, both trained with the method. Utility is the share of an ordinary student's "
        "gain on held-out rows of the control that is left; no method sees the questions of the probe.",
    ]
    notes += recipe_notes(source.spec.student)
    if source.spec.base.startswith("embedded/"):
        notes.append("The base's weights are decoded from a 4-bit file; the numbers concern those weights.")
    return notes
