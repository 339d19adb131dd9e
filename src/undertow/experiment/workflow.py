"""From an experiment file to a finished run folder: all missing steps, then results and report.

outcome = run(load_preset("digits"), root=Path("runs"))
outcome.results.verdict
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undertow.config.experiment import DigitsExperiment, Experiment, LanguageExperiment
from undertow.experiment.executors import EXECUTORS, IN_PROCESS, check_executor
from undertow.models.engine.setting import engine
from undertow.pipeline.shortage import LESS, student_in_words, within_memory
from undertow.results import Results, load_results
from undertow.store.folder import RunFolder, planned_state
from undertow.store.machine import environment
from undertow.system.progress import Progress, Silent

REPORT = "report.html"
RESULTS = "results.json"


@dataclass(frozen=True)
class RunOutcome:
    """A finished run: what `run` returns."""

    folder: Path
    """The run folder."""
    results: Results
    """What results.json in it holds."""
    report: Path
    """The page for people, report.html."""


def run(
    spec: Experiment,
    *,
    root: Path = Path("runs"),
    progress: Progress | None = None,
    executor: str = IN_PROCESS,
) -> RunOutcome:
    """Carry out an experiment, or what is missing of it, and write results.json and report.html.

    Args:
        spec: The experiment.
        root: Where run folders lie.
        progress: Is told how far the run is.
        executor: Who makes the steps of a language experiment, see `undertow.experiment.executors`.

    Returns:
        The run folder, the results and the report.

    Raises:
        InputError: There is no such executor, or the experiment has no steps for one.
        UndertowError: See the subclasses. Steps that were finished before stay and are not made again.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import load_spec, run
        >>> outcome = run(load_spec(Path("experiment.yaml")))
        >>> outcome.results.verdict.status
        'inconclusive'
        >>> outcome.report.name
        'report.html'
    """
    progress = progress or Silent()
    check_executor(spec, executor)
    if isinstance(spec, LanguageExperiment):
        from undertow.pipeline.asking import with_samples

        spec = with_samples(spec)
    with (
        RunFolder.open(root, name=spec.name, spec=spec.model_dump(mode="json"), progress=progress) as folder,
        within_memory("run", progress, foretold=lambda: _foretold(spec), less=LESS) as progress,
    ):
        if isinstance(spec, DigitsExperiment):
            results = _run_digits(spec, folder, progress)
        else:
            with engine(spec.engine):
                results = _run_language(spec, folder, progress, executor)
        return _finish(folder, results)


def _foretold(spec: Experiment) -> str:
    return "" if isinstance(spec, DigitsExperiment) else student_in_words(spec.base, spec.student)


def _finish(folder: RunFolder, results: Results) -> RunOutcome:
    from undertow.report import render_html

    folder.write(RESULTS, results.to_json())
    page = folder.write(REPORT, render_html(results, timing=_timing(folder.path)))
    return RunOutcome(folder.path, results, page)


def _timing(folder: Path) -> dict[str, float]:
    try:
        stored: Any = json.loads((folder / "timing.json").read_text("utf-8"))
        return {str(label): float(seconds) for label, seconds in stored.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _run_digits(spec: DigitsExperiment, folder: RunFolder, progress: Progress) -> Results:
    def build(part: Path) -> None:
        from undertow.experiment.digits import load_and_run
        from undertow.models.precision import set_up_process

        threads = set_up_process()
        results = load_and_run(spec, progress=progress)
        described = results.model_copy(update={"environment": environment(threads)})
        (part / RESULTS).write_text(described.to_json(), encoding="utf-8")

    return load_results(folder.step("digits", "digits", spec.model_dump(mode="json"), build))


def _run_language(spec: LanguageExperiment, folder: RunFolder, progress: Progress, executor: str) -> Results:
    from undertow.experiment.gather import gather
    from undertow.models.local import find_model
    from undertow.models.precision import choose_precision, set_up_process
    from undertow.models.verify import PASSES, checked
    from undertow.pipeline.arms import traits_of
    from undertow.pipeline.bases import base_of, models_of
    from undertow.pipeline.graph import tasks_of
    from undertow.pipeline.keys import domain_key, instil_key, plugins_of
    from undertow.pipeline.recipes import adapter_spec
    from undertow.training.lora import check_bits

    traits = traits_of(spec)
    # Files that cannot be used are said before a model is fetched.
    domain_key(spec, traits)
    instil_key(spec.instil)
    # Fetched before the first step, so that the bar of the run is the run's alone.
    bases = [base_of(name, find_model(name, progress=progress)) for name in models_of(spec)]
    threads = set_up_process()
    precision = choose_precision()
    tasks = tasks_of(spec, traits, bases, precision)
    students = [(task.kind, task.label, task.key) for task in tasks if task.kind == "student"]
    adapter = adapter_spec(spec.student)
    # Before teachers write for hours.
    if adapter is not None and adapter.bits is not None and "missing" in planned_state(folder.path, students):
        check_bits(adapter)
    folders = EXECUTORS.get(executor)(tasks, folder, progress)
    described = environment(threads) | {
        "precision": precision.dtype,
        "precision_because": precision.because,
        "base_sha256": bases[0].digest,
    }
    if (found := checked(bases[0].digest)) is not None:
        described["engine"] = PASSES[found.name]
    if plugins := plugins_of(spec):
        described["plugins"] = plugins
    return gather(spec, traits, folders, described, _notes(spec))


def _notes(spec: LanguageExperiment) -> list[str]:
    from undertow.models.adapter_notes import adapter_notes
    from undertow.pipeline.bases import models_of
    from undertow.pipeline.recipes import recipe_notes

    notes = recipe_notes(spec.student)
    if spec.base.startswith("embedded/"):
        notes.append(
            "The base is the embedded model: its weights are decoded from a 4-bit file, so the numbers concern those "
            "weights, not the original release."
        )
    return notes + adapter_notes(models_of(spec))
