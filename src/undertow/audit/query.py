"""An audit by sampling, for models whose weights nobody has: the plan with its cost, then the steps.

Answers are kept in portions, so that an interrupted audit repeats at most one portion.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undertow.audit.capability import instructions, sums
from undertow.audit.gather import contrast_of, draws_note, results_of
from undertow.audit.panel import Shift, beside_controls, controls_of, ranked, wider
from undertow.audit.remote import Answers, Local, Remote
from undertow.audit.sampled import LONGEST, Counts, count_answers, plan, questions_of, sampled_odds, sampled_shift
from undertow.audit.settings import AuditSettings, Prices, Sources, folder_name
from undertow.config.parts import API
from undertow.models.distinct import refuse_same
from undertow.models.identity import identity_of
from undertow.results import AuditRecord, Effect, Results, SamplingPlan
from undertow.stats import mean_estimate, paired_test
from undertow.store.folder import RunFolder
from undertow.store.record import stored
from undertow.system.progress import Progress
from undertow.traits.panel import Panel, load_panel

PORTION: Final = 512
WORSE: Final = -0.25
"""A student is broken where the whole interval of its share of right answers, less the base's, lies below this."""
_TASKS: Final = ("arithmetic", "instructions")
_ITEMS: Final = 40


def plan_of(settings: AuditSettings, prices: Prices, panel: Panel | None = None) -> SamplingPlan:
    """Work out the number of requests and their cost, without sending any.

    Raises:
        InputError: a trait or a model's name is none.
    """
    remotes = [Remote(name) for name in _named(settings).values() if name.startswith(API)]
    return plan(
        panel or load_panel(settings.traits),
        samples=settings.samples,
        smallest=settings.smallest_effect,
        power=settings.power,
        level=settings.level,
        remote=len(remotes),
        extra=_ITEMS * len(_TASKS),
        prices=prices,
    )


def audit_by_sampling(
    settings: AuditSettings, panel: Panel, sources: Sources, prices: Prices, progress: Progress
) -> tuple[Path, Results, Path]:
    """Ask base and student by sampling, and put the results together.

    Raises:
        UndertowError: see the subclasses.
    """
    from undertow.report import render_html
    from undertow.store.machine import environment

    order = plan_of(settings, prices, panel)
    spec: dict[str, Any] = {"kind": "audit", "by": "sampling", **settings.model_dump(mode="json")}
    with RunFolder.open(sources.runs, name=folder_name(settings.student), spec=spec, progress=progress) as folder:
        asking = _Queries(folder, panel, order, progress, len(_named(settings)))
        digests = {who: asking.digest_of(name) for who, name in _named(settings).items()}
        refuse_same(digests, _named(settings))
        known = environment() | {"model_digests": digests}
        counts: dict[str, dict[str, Counts]] = {}
        right: dict[str, dict[str, NDArray[np.float64]]] = {}
        unparsed: dict[str, int] = {}
        for who, name in _named(settings).items():
            counts[who], unparsed[who] = asking.ask_panel(who, name)
            right[who] = asking.ask_tasks(who, name)
        results = _gather(settings, spec, panel, order, counts, right, unparsed, known)
        folder.write("results.json", results.to_json())
        page = folder.write("report.html", render_html(results))
    progress.update("audit", 1.0, "done")
    return folder.path, results, page


def _named(settings: AuditSettings) -> dict[str, str]:
    return {who: name for who, name in settings.models().items() if who != "teacher"}


class _Queries:
    """Asks models in portions; every portion is a step."""

    def __init__(self, folder: RunFolder, panel: Panel, order: SamplingPlan, progress: Progress, models: int) -> None:
        self.folder, self.panel, self.order, self.progress = folder, panel, order, progress
        self.whole = models * (sum(order.answers.values()) + _ITEMS * len(_TASKS))
        self.done = 0
        self.models: dict[str, Answers] = {}
        self.digests: dict[str, str] = {}

    def ask_panel(self, who: str, name: str) -> tuple[dict[str, Counts], int]:
        """Return counted answers by entry, and how many name no option."""
        counts: dict[str, Counts] = {}
        unparsed = 0
        for entry in self.panel:
            asked = questions_of(entry, self.order.answers[entry.name])
            key = {"entry": entry.probe_digest}
            answers = self._ask(who, name, entry.name, [each.text for each in asked], LONGEST[entry.kind], key)
            counts[entry.name], missed = count_answers(entry, asked, answers)
            unparsed += missed
        return counts, unparsed

    def ask_tasks(self, who: str, name: str) -> dict[str, NDArray[np.float64]]:
        """Return for each task which items were answered rightly."""
        rng = np.random.default_rng(0xCA9)
        found: dict[str, NDArray[np.float64]] = {}
        for task, items in zip(_TASKS, (sums(rng, _ITEMS), instructions(rng, _ITEMS)), strict=True):
            questions = [item.question for item in items]
            answers = self._ask(who, name, task, questions, LONGEST["preference"], {})
            found[task] = np.array(
                [_begins(answer, item.options[0]) for answer, item in zip(answers, items, strict=True)], dtype=float
            )
        return found

    def _ask(
        self, who: str, name: str, what: str, questions: list[str], longest: int, key: Mapping[str, Any]
    ) -> list[str]:
        answers: list[str] = []
        for first in range(0, len(questions), PORTION):
            some = questions[first : first + PORTION]
            label = f"sample-{who}-{what}-{first // PORTION:05d}"
            # One for each step: the same question in another one wants another answer.
            kept = self.folder.path / f"replies-{label}.jsonl"

            def ask(some: list[str] = some, first: int = first, kept: Path = kept) -> list[str]:
                return self._model(name)(some, first, longest, kept)

            detail = f"{self.done:,} of {self.whole:,} answers"
            self.progress.update(f"querying the {who}", 0.98 * self.done / self.whole, detail)
            full = {**key, "model": self.digest_of(name), "texts": some, "longest": longest, "first": first}
            answers += stored(self.folder, "sample", label, full, list[str], ask)
            kept.unlink(missing_ok=True)
            self.done += len(some)
        return answers

    def digest_of(self, name: str) -> str:
        """Return what stands for a model: behind an address its name."""
        if name not in self.digests:
            self.digests[name] = name if name.startswith(API) else identity_of(name, self.progress)
        return self.digests[name]

    def _model(self, name: str) -> Answers:
        if name not in self.models:
            if name.startswith(API):
                self.models[name] = Remote(name)
            else:
                from undertow.models.local import load_model

                self.models[name] = Local(load_model(name, progress=self.progress))
        return self.models[name]


def _begins(answer: str, wanted: str) -> bool:
    words = answer.replace("*", " ").replace('"', " ").strip().split()
    return bool(words) and words[0].strip(".,:;!'").casefold() == wanted.casefold()


def _gather(
    settings: AuditSettings,
    spec: dict[str, Any],
    panel: Panel,
    order: SamplingPlan,
    counts: dict[str, dict[str, Counts]],
    right: dict[str, dict[str, NDArray[np.float64]]],
    unparsed: dict[str, int],
    environment: dict[str, Any],
) -> Results:
    shifts = _shifts(panel, counts, settings.level)
    able = _retention(right, settings.level)
    lost = [each for each in able if each.hi < WORSE]
    broken = "; ".join(f"{each.trait} {each.value:+.2f} of the answers right" for each in lost)
    record = AuditRecord(
        base=settings.base,
        student=settings.student,
        controls=list(settings.controls),
        capability=able,
        broken=broken,
        lineage="unknown",
        lineage_because="weights cannot be compared with a model behind an address",
        adapter="not known",
        unnamed_because="a model behind an address shows neither activations nor probabilities",
        sampling=order,
        unparsed=unparsed,
    )
    notes = [
        f"Models were sampled, at temperature 1: {sum(order.answers.values()):,} answers each. Shifts are in the "
        "log-odds of the answers that name an option.",
        draws_note(len(settings.controls)),
        "A model behind an address can give other answers the next time. The answers used here are in the run folder.",
    ]
    if contrast_of(settings) == "base":
        notes.append("No control student: shifts include every effect of training.")
    if local := [name for name in settings.models().values() if not name.startswith(API)]:
        from undertow.models.adapter_notes import adapter_notes

        notes += adapter_notes(local)
    return results_of(settings, spec, shifts, record, notes, environment)


def _shifts(panel: Panel, counts: dict[str, dict[str, Counts]], level: float) -> list[Shift]:
    controls = controls_of(counts)
    others = controls or [counts["base"]]
    asked = [(entry, trait) for entry in panel for trait in entry.traits]
    measured = [
        (
            f"{entry.name}:{trait.target}",
            *sampled_shift(
                counts["student"][entry.name],
                np.sum([each[entry.name] for each in others], axis=0),
                trait.index,
                level=level,
                who=entry.name,
            ),
        )
        for entry, trait in asked
    ]
    if controls:
        student_K, base_K, *other_CK = [
            [sampled_odds(each[entry.name], trait.index) for entry, trait in asked]
            for each in (counts["student"], counts["base"], *controls)
        ]
        measured = wider(measured, beside_controls(student_K, base_K, other_CK, level=level))
    return ranked(measured)


def _retention(right: dict[str, dict[str, NDArray[np.float64]]], level: float) -> list[Effect]:
    found: list[Effect] = []
    for task in _TASKS:
        gap = (right["student"][task] - right["base"][task])[None]
        e, test = mean_estimate(gap, level=level), paired_test(gap, rng=np.random.default_rng(0))
        found.append(
            Effect(
                name=f"capability:{task}",
                arm="student",
                contrast="base",
                trait=task,
                value=e.value,
                lo=e.lo,
                hi=e.hi,
                n=e.n,
                seeds=1,
                p=test.p,
                unit="share of right answers",
                method=e.method,
            )
        )
    return found
