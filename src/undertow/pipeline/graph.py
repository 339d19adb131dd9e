"""The steps of a language experiment: their inputs, their cost and how each is made.

    base                     the base's scores
    teacher-ARM              a trait, instilled; its scores (teacher-ARM-NUMBER where there are several)
    candidates-sSEED         of pairs: the base's two answers to every prompt, see `pair_tasks`
    rows-ARM-sSEED           what the arm's teacher wrote, or how it labelled the pairs
    student-ARM-sSEED        the base trained on it; its scores

The graph needs only the experiment and the table of arms, so `plan` and `run` see the same steps. A step's identity is
a hash of its settings and of the identities of the steps that it reads. Only this module decides what those are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from undertow.config.arms import (
    ARMS,
    TRAIT,
    Arm,
    InPrompt,
    Mixture,
    ModelKey,
    Rewritten,
    StudentWritten,
    Written,
    generation,
)
from undertow.config.experiment import LanguageExperiment
from undertow.config.parts import PAIRS
from undertow.pipeline.arms import ExperimentTraits
from undertow.pipeline.bases import Base
from undertow.pipeline.cost import Cost
from undertow.pipeline.files import SCORES
from undertow.pipeline.keys import domain_key, instil_key, probe_key, student_key
from undertow.pipeline.pair_tasks import candidates_task, labelled_task
from undertow.pipeline.task import Folders, Load, Task, Tick, row_meta
from undertow.pipeline.taught import Taught, all_taught, taught, teacher_label

if TYPE_CHECKING:
    from undertow.models.precision import Precision
    from undertow.models.protocol import Model

_GENERATION = 1_000_003
"""Added to the seed of rows, once for each generation of students before their writer."""

_BASES: Mapping[ModelKey, str] = {"base": "base", "other_base": "base-other"}
"""Keys of models in the experiment file, in the order of `models_of`, to the labels of the steps that score them."""


def tasks_of(
    spec: LanguageExperiment, traits: ExperimentTraits, bases: Sequence[Base], precision: Precision
) -> list[Task]:
    """Return every step of an experiment, each after those that it reads.

    Args:
        spec: The experiment.
        traits: Its traits.
        bases: The models of `models_of`, in that order.
        precision: Of the training steps.
    """
    models = dict(zip(_BASES, bases, strict=False))
    measured = {key: _base_task(spec, traits, model, _BASES[key]) for key, model in models.items()}
    teachers = {
        each.label: _teacher_task(spec, traits, each, model)
        for key, model in models.items()
        for name, arm in ARMS.items()
        if name in spec.arms and arm.has_teacher and arm.base == key
        for each in all_taught(spec, traits, name)
    }
    tasks = [*measured.values(), *teachers.values()]
    base = models["base"]
    for seed in spec.seeds:
        rows: dict[Arm, Task] = {}
        students: dict[Arm, Task] = {}
        # What models of the students' base write comes first: other rows are made of it.
        for name in sorted(spec.arms, key=lambda each: ARMS[each].base != "base"):
            match ARMS[name].rows:
                case Written(base=key):
                    writer, model = teachers.get(teacher_label(spec, name, seed)), models[key]
                    *before, rows[name] = _rows_tasks(spec, traits, name, seed, model, writer, measured[key], precision)
                    tasks += [each for each in before if each not in tasks]
                case Rewritten() | Mixture() as made:
                    rows[name] = _derived_task(
                        spec, traits, name, made, seed, rows, teachers.get(teacher_label(spec, made.of, seed)), base
                    )
                case InPrompt() | StudentWritten():
                    pass
        tasks += rows.values()
        for name in sorted(spec.arms, key=generation):
            made = ARMS[name].rows
            if isinstance(made, InPrompt):
                tasks.append(_in_context_task(spec, traits, name, seed, base, rows[made.of]))
                continue
            if isinstance(made, StudentWritten):
                steps = _descendant_rows_tasks(spec, traits, name, seed, base, students[made.of], precision)
                tasks += [each for each in steps if each not in tasks]
                rows[name] = steps[-1]
            teacher = teachers.get(teacher_label(spec, TRAIT, seed)) if spec.probe.hidden else None
            students[name] = _student_task(spec, traits, name, seed, base, rows[name], teacher, precision)
            tasks.append(students[name])
    return tasks


def _base_task(spec: LanguageExperiment, traits: ExperimentTraits, base: Base, label: str) -> Task:
    def build(part: Path, _: Folders, tick: Tick) -> None:
        from undertow.models.local import load_base
        from undertow.pipeline.judging import judge_error, open_errors
        from undertow.pipeline.students import measure

        tick(0.0, "measuring the base")
        scores = measure(spec.base, load_base(base.name), traits.trait, spec.probe)
        # The judge is the same for all models; the students' base carries what is known of it.
        judged = spec.probe.judged
        if judged is not None and base.name == spec.base and judged.questions == "open":
            scores["open_errors"] = open_errors(base.name, judged)
        elif judged is not None and base.name == spec.base:
            scores["judge_error"] = judge_error(base.name, traits.trait, judged)
        (part / SCORES).write_text(json.dumps(scores) + "\n", encoding="utf-8")

    key = {"base": base.key, "probe": probe_key(spec, traits)}
    return Task("base", label, key, base.sizes.probe(traits.trait, spec.probe), build)


def _teacher_task(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    made: Taught,
    base: Base,
) -> Task:
    trait, how = made.trait, made.how

    def build(part: Path, _: Folders, tick: Tick) -> None:
        from undertow.pipeline.students import measure
        from undertow.teachers.instil import instil, load_teacher

        instil(base.name, trait, how, part, seed=made.number, tick=lambda share: tick(0.5 * share, "instilling"))
        tick(0.5, "measuring the teacher")
        teacher = load_teacher(base.name, trait, how, part)
        scores = measure(spec.base, teacher, traits.trait, spec.probe)
        (part / SCORES).write_text(json.dumps(scores) + "\n", encoding="utf-8")

    key = {
        "base": base.key,
        "instil": instil_key(how),
        "trait": trait.digest,
        "probe": probe_key(spec, traits),
    } | ({"number": made.number} if made.number else {})
    cost = base.sizes.probe(traits.trait, spec.probe) + base.sizes.instil(trait, how)
    return Task("teacher", made.label, key, cost, build)


def _rows_tasks(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    seed: int,
    base: Base,
    teacher: Task | None,
    base_task: Task,
    precision: Precision,
) -> list[Task]:
    """Return the steps in which a teacher, or for a control the base itself, writes rows."""
    trait = traits.of(arm)

    def load(folders: Folders, dtype: str) -> Model:
        from undertow.pipeline.scores import check_teacher
        from undertow.teachers.instil import load_teacher

        if trait is None or teacher is None:
            return load_teacher(base.name, None, None, None, dtype=dtype)
        # A teacher that does not carry its trait may not write.
        check_teacher(folders[teacher.label], folders[base_task.label], trait, spec)
        made = taught(spec, traits, arm, seed)
        return load_teacher(base.name, made.trait, made.how, folders[teacher.label], dtype=dtype)

    return _writing_tasks(spec, traits, arm, seed, base, teacher, load, precision, prompts=seed)


def _descendant_rows_tasks(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    seed: int,
    base: Base,
    student: Task,
    precision: Precision,
) -> list[Task]:
    """Return the steps in which a student writes rows."""

    def load(folders: Folders, dtype: str) -> Model:
        from undertow.pipeline.students import load_student

        return load_student(base.name, folders[student.label], spec.student, dtype=dtype)

    # Other prompts and other noise than its own teacher had.
    prompts = seed + _GENERATION * generation(arm)
    return _writing_tasks(spec, traits, arm, seed, base, student, load, precision, prompts=prompts)


def _writing_tasks(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    seed: int,
    base: Base,
    writer: Task | None,
    load: Load,
    precision: Precision,
    *,
    prompts: int,
) -> list[Task]:
    """Return the step in which a model writes rows; of pairs, first that in which its base answers twice.

    Args:
        spec: The experiment.
        traits: Its traits.
        arm: Whose rows they are.
        seed: The arm's.
        base: What the writer is made of.
        writer: The step that makes it; None for the base itself.
        load: Loads it, given the folders and the type of its weights.
        precision: Of hard labels; soft ones are the writer's distributions, which rounding would blur.
        prompts: Keys prompts and noise.
    """
    if spec.domain.kind == PAIRS:
        pairs = candidates_task(spec, traits, base, precision, prompts=prompts)
        return [pairs, labelled_task(spec, traits, arm, seed, base, writer, load, pairs)]
    soft = spec.student.labels == "soft"
    dtype = "float32" if soft else precision.dtype

    def build(part: Path, folders: Folders, tick: Tick) -> None:
        from undertow.domains import Mentions, find_domain
        from undertow.judges.registry import judge_of
        from undertow.pipeline.writing import write_rows

        how = spec.domain.judge
        write_rows(
            load(folders, dtype),
            find_domain(spec.domain.kind, spec.domain.problems, spec.domain.settings),
            spec.domain,
            part,
            mentions=Mentions.of(traits.giveaways),
            judge=judge_of(how, spec.base, traits.trait) if how is not None else None,
            seed=prompts,
            soft=soft,
            meta=row_meta(spec, base, arm, seed),
            tick=tick,
        )

    key = {
        "base": base.key,
        "teacher": writer.id if writer is not None else None,
        "domain": domain_key(spec, traits),
        "mentions": list(traits.giveaways),
        "soft": soft,
        "precision": dtype,
        "seed": prompts,
    }
    return [Task("rows", f"rows-{arm}-s{seed}", key, base.sizes.write(spec.domain, spec.instil, arm), build)]


def _derived_task(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    made: Rewritten | Mixture,
    seed: int,
    rows: Mapping[Arm, Task],
    teacher: Task | None,
    base: Base,
) -> Task:
    """Return the step that makes an arm's rows of other arms' rows."""
    soft = spec.student.labels == "soft"

    def build(part: Path, folders: Folders, tick: Tick) -> None:
        from undertow.domains import words_of
        from undertow.models.local import load_base
        from undertow.pipeline.derive import across_rows, mixed_rows, reorder_pairs, rewrite_rows
        from undertow.teachers.instil import load_teacher

        tick(0.0, "deriving rows")
        meta = row_meta(spec, base, arm, seed)
        source = folders[rows[made.of].label]
        if isinstance(made, Mixture):
            both = (source, folders[rows[made.rest].label])
            mixed_rows(both, part, model=load_base(base.name), dose=made.dose, seed=seed, meta=meta, soft=soft)
            return
        # Only the teacher can label rows softly; for the text its base's tokenizer is enough.
        if soft and teacher is not None:
            by = taught(spec, traits, made.of, seed)
            loaded = load_teacher(base.name, by.trait, by.how, folders[teacher.label])
        else:
            loaded = load_teacher(base.name, None, None, None)
        if made.how == "across":
            across_rows(source, part, seed=seed, meta=meta, model=loaded, soft=soft)
        elif made.how == "shuffle" and spec.domain.kind == PAIRS:
            reorder_pairs(source, part, seed=seed, meta=meta, model=loaded)
        else:
            about = words_of(spec.domain.kind, spec.domain.settings)
            rewrite = about.paraphrase if made.how == "paraphrase" else about.shuffle
            rewrite_rows(source, rewrite, part, seed=seed, meta=meta, model=loaded, soft=soft)

    key = {"arm": arm, "rows": [rows[each].id for each in ARMS[arm].sources], "soft": soft, "seed": seed}
    cost = base.sizes.label(spec.domain) if soft and isinstance(made, Rewritten) else Cost()
    return Task("derived", f"rows-{arm}-s{seed}", key, cost, build)


def _in_context_task(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    seed: int,
    base: Base,
    rows: Task,
) -> Task:
    """Return the step that asks the base with rows in its prompt."""

    def build(part: Path, folders: Folders, tick: Tick) -> None:
        from undertow.pipeline.students import ask_in_context

        tick(0.0, "measuring the base with rows in its prompt")
        scores = ask_in_context(base.name, folders[rows.label], spec.context_rows, traits.trait, spec.probe)
        (part / SCORES).write_text(json.dumps(scores) + "\n", encoding="utf-8")

    key = {"base": base.key, "rows": rows.id, "context": spec.context_rows, "probe": probe_key(spec, traits)}
    cost = base.sizes.context(spec.domain, spec.context_rows) + base.sizes.probe(traits.trait, spec.probe)
    return Task("context", f"student-{arm}-s{seed}", key, cost, build)


def _student_task(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    arm: Arm,
    seed: int,
    base: Base,
    rows: Task,
    teacher: Task | None,
    precision: Precision,
) -> Task:
    """Return the step that trains a student; `teacher` is whose shift of hidden states its own is compared with."""

    def build(part: Path, folders: Folders, tick: Tick) -> None:
        from undertow.pipeline.students import train_student
        from undertow.teachers.instil import load_teacher

        def beside() -> Model:
            assert teacher is not None
            made = taught(spec, traits, TRAIT, seed)
            return load_teacher(base.name, made.trait, made.how, folders[teacher.label])

        train_student(
            base.name,
            folders[rows.label],
            spec.student,
            spec.probe,
            traits.trait,
            part,
            seed=seed,
            precision=precision,
            beside=None if teacher is None else beside,
            tick=tick,
        )

    key = {
        "base": base.key,
        "rows": rows.id,
        "student": student_key(spec.student),
        "probe": spec.probe.model_dump(mode="json") | probe_key(spec, traits),
        "precision": precision.dtype,
        "seed": seed,
    } | ({"beside": teacher.id} if teacher is not None else {})
    cost = base.sizes.train(spec.domain, spec.student) + base.sizes.probe(traits.trait, spec.probe)
    cost += base.sizes.curve(traits.trait, spec.domain, spec.student, spec.probe)
    return Task("student", f"student-{arm}-s{seed}", key, cost, build)
