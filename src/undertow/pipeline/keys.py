"""Parts of an experiment as they stand in the identities of its steps: settings, and the contents of files they name.

A file of the user's stands there with its content and not with its path, and is read here, before anything runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from undertow.config.experiment import LanguageExperiment
from undertow.config.parts import FineTune, FreeAnswers, Instil, Judge, Student
from undertow.config.recipes.applied import recipe_digest
from undertow.config.registries import origin_key, origins_in
from undertow.data.files import require_rows
from undertow.domains.find import MAKERS, find_domain
from undertow.domains.pairs import Pairs
from undertow.domains.reasoning import Reasoning
from undertow.judges.registry import JUDGE_MAKERS
from undertow.pipeline.arms import ExperimentTraits
from undertow.system.digest import digest_of
from undertow.teachers.registry import METHODS
from undertow.traits.find import TRAIT_MAKERS
from undertow.traits.open_questions import coherent, misaligned
from undertow.traits.panel import entry_of
from undertow.traits.wordings import wordings_digest


def domain_key(spec: LanguageExperiment, traits: ExperimentTraits) -> dict[str, Any]:
    """Return what a teacher's rows depend on of the domain.

    Raises:
        InputError: a file that it names cannot be used.
        MissingExtraError: a package that it needs is not installed.
    """
    order = spec.domain
    key = order.model_dump(mode="json") | {"constrained": order.in_format} | origin_key(MAKERS, order.kind)
    about = find_domain(order.kind, order.problems, order.settings)
    answered = about.of if isinstance(about, Pairs) else about
    if isinstance(answered, Reasoning):
        key["problems"] = answered.digest
    if order.judge is not None:
        key["judge"] = judge_key(order.judge, traits)
    return key


def judge_key(how: Judge, traits: ExperimentTraits) -> dict[str, Any]:
    """Return what a judge's rulings depend on: it is asked about the trait, and calibrated on its lessons."""
    return how.model_dump(mode="json") | {"trait": traits.trait.digest} | origin_key(JUDGE_MAKERS, how.kind)


def probe_key(spec: LanguageExperiment, traits: ExperimentTraits) -> dict[str, Any]:
    """Return what a model's scores depend on: what it is asked, and who judges free-form answers."""
    judged = spec.probe.judged
    # Absent where it is not asked, so that steps of before keep their names.
    second = {"second": wordings_digest((entry_of(traits.trait),), "second")} if spec.probe.second else {}
    return second | {
        "questions": traits.trait.probe_digest,
        "samples": spec.probe.samples,
        "judged": (
            judged.model_dump(mode="json")
            | {"trait": _judged_digest(judged, traits)}
            | origin_key(JUDGE_MAKERS, judged.judge.kind)
        )
        if judged
        else None,
    }


def _judged_digest(judged: FreeAnswers, traits: ExperimentTraits) -> str:
    """Return what stands for the questions, for what a judge is asked about and for the answers that it learned on."""
    if judged.questions == "probe":
        return traits.trait.digest
    return digest_of([each.digest for each in (coherent(), misaligned())])


def plugins_of(spec: LanguageExperiment) -> dict[str, str]:
    """Return the packages whose plugins an experiment names, with their versions."""
    judges = [spec.domain.judge, spec.probe.judged.judge if spec.probe.judged else None]
    return origins_in(
        [
            (MAKERS, spec.domain.kind),
            (METHODS, spec.instil.method),
            *((TRAIT_MAKERS, each.kind) for each in (spec.trait, spec.other) if each is not None),
            *((JUDGE_MAKERS, each.kind) for each in judges if each is not None),
        ]
    )


def instil_key(how: Instil) -> dict[str, Any]:
    """Return what a teacher depends on of the way in which its trait is instilled.

    Raises:
        RowError: rows that it names cannot be read, or some lines are no rows.
    """
    key = how.model_dump(mode="json") | origin_key(METHODS, how.method)
    if isinstance(how, FineTune) and how.lessons is not None:
        parts = [row.answers() for row in require_rows(Path(how.lessons))]
        key["lessons"] = digest_of([part.id for row in parts for part in row])
        if any(len(row) > 1 for row in parts):
            key["answers"] = [len(row) for row in parts]  # a step learns all answers of its rows
    return key


def student_key(student: Student) -> dict[str, Any]:
    """Return what a student depends on of its training: of a recipe what it says, not where it stands or how it is put.

    Raises:
        ValueError: a recipe and what stands beside it do not go together, which an experiment has checked.
    """
    if (spec := student.resolved) is None:
        return student.model_dump(mode="json")
    return {
        "recipe": recipe_digest(spec),
        "order": student.order or "shuffled",
        "labels": student.labels,
        "keep": student.keep,
    }
