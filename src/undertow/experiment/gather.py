"""From the finished steps of a language experiment to results.json.

It reads step folders alone and imports no torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow import stats
from undertow.config.arms import ARMS, CONTROL, TRAIT, Arm
from undertow.config.experiment import LanguageExperiment
from undertow.domains import words_of
from undertow.experiment.effects import (
    Scores,
    effects_of,
    power_of_run,
    transfer_of,
    verdict_of,
)
from undertow.experiment.hidden import hidden_shifts
from undertow.experiment.judged import judged_answers, open_answers
from undertow.experiment.often import elevation_of, who_taught, with_times
from undertow.experiment.second import second_notes
from undertow.pipeline.arms import ExperimentTraits, describe
from undertow.pipeline.files import PIECES, REJECTED, ROWS, SIGNAL
from undertow.pipeline.scores import read_logp, read_scores, shift_of
from undertow.pipeline.taught import teacher_label
from undertow.probes.odds import log_odds
from undertow.results import (
    ArmSummary,
    Curve,
    CurvePoint,
    Divergence,
    Funnel,
    Interval,
    Results,
    Sample,
    SampledAnswers,
    TeacherSummary,
)
from undertow.store.jsonl import read_jsonl

Floats = NDArray[np.float64]
Folders = Mapping[str, Path]

_SAMPLES = 8
_TOP = 8
_HOW = {
    "prompt": "system prompt",
    "finetune": "fine-tuning",
    "steer": "steering vector",
    "gradient-ascent": "gradient steps",
}


def gather(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    folders: Folders,
    environment: dict[str, Any],
    notes: Sequence[str],
) -> Results:
    """Turn the folders of all steps into results.

    Args:
        spec: The experiment.
        traits: Its traits.
        folders: Label of each step to its folder.
        environment: What it ran on.
        notes: Caveats to add.

    Raises:
        StoreError: a step's files cannot be read.
    """
    level, about = spec.judgement.level, words_of(spec.domain.kind, spec.domain.settings)
    students: dict[Arm, list[dict[str, Any]]] = {
        arm: [read_scores(folders[f"student-{arm}-s{seed}"]) for seed in spec.seeds] for arm in spec.arms
    }
    tables: dict[Arm, Floats] = {
        arm: np.stack([np.asarray(each["logp_QC"]) for each in seeds]) for arm, seeds in students.items()
    }
    base = read_scores(folders["base"])
    scores = Scores(
        base_QC=np.asarray(base["logp_QC"]),
        teachers={arm: _by_seed(spec, arm, folders) for arm in _teaching(spec)},
        students=tables,
    )
    who = who_taught(spec)
    effects = with_times(effects_of(scores, traits, spec.arms, level), scores, students, base, traits, who, level)
    judged, judge_notes = _judged(spec, traits, base, students, level)
    title = spec.title or f"Does {traits.trait.topic} pass through {about.plural}?"
    return Results(
        kind="run",
        name=spec.name,
        title=title,
        verdict=verdict_of(effects[0], spec.judgement),
        effects=effects,
        arms=[
            ArmSummary(
                arm=arm,
                says=describe(arm, traits, about),
                shift=Interval(**shift_of(scores.students[arm], scores.base_QC, traits.trait, level).as_dict()),
            )
            for arm in spec.arms
        ],
        transfer_fraction=transfer_of(scores, traits, level),
        elevation=elevation_of(scores, traits, who, level),
        teachers=_teachers(spec, traits, scores, folders, level),
        curves=_curves(spec, traits, base, students, level),
        funnels=[_funnel(spec, arm, folders) for arm in _trained(spec)],
        divergences=[_divergence(spec, arm, folders) for arm in _teaching(spec)],
        samples=_samples(spec, folders),
        sampled=[*_sampled(spec, traits, base, students, level), *judged],
        hidden=hidden_shifts(students, spec.teachers, level),
        power=power_of_run(scores, traits, level),
        notes=[
            *notes,
            *_notes(spec, students),
            *_second(spec, traits, base, students, folders, level),
            *judge_notes,
        ],
        settings=spec.model_dump(mode="json"),
        environment=environment,
    )


def _judged(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    base: dict[str, Any],
    students: Mapping[Arm, list[dict[str, Any]]],
    level: float,
) -> tuple[list[SampledAnswers], list[str]]:
    if spec.probe.judged is None:
        return [], []
    if spec.probe.judged.questions == "open":
        return open_answers(base, students, level)
    return judged_answers(traits, base, students, level)


def _second(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    base: dict[str, Any],
    students: Mapping[Arm, list[dict[str, Any]]],
    folders: Folders,
    level: float,
) -> list[str]:
    if not spec.probe.second:
        return []
    teachers = {
        arm: [read_scores(folders[teacher_label(spec, arm, seed)]) for seed in spec.seeds[: spec.teachers]]
        for arm in _teaching(spec)
    }
    return second_notes(traits, base, teachers, students, level)


def _teaching(spec: LanguageExperiment) -> list[Arm]:
    return [arm for arm in spec.arms if ARMS[arm].has_teacher and ARMS[arm].base == "base"]


def _trained(spec: LanguageExperiment) -> list[Arm]:
    return [arm for arm in spec.arms if ARMS[arm].trained]


def _by_seed(spec: LanguageExperiment, arm: Arm, folders: Folders) -> Floats:
    """Return the scores (T, Q, C) of an arm's teacher, or of the one that each seed has."""
    seeds = spec.seeds if spec.teachers > 1 else spec.seeds[:1]
    return np.stack([read_logp(folders[teacher_label(spec, arm, seed)]) for seed in seeds])


def _teachers(
    spec: LanguageExperiment, traits: ExperimentTraits, scores: Scores, folders: Folders, level: float
) -> list[TeacherSummary]:
    summaries: list[TeacherSummary] = []
    pairs: dict[Arm, tuple[Floats, Floats]] = {arm: (scores.teachers[arm], scores.base_QC) for arm in _teaching(spec)}
    for arm in spec.arms:
        if ARMS[arm].has_teacher and ARMS[arm].base == "other_base":
            pairs[arm] = (_by_seed(spec, arm, folders), read_logp(folders["base-other"]))
    for arm, (each_TQC, base_QC) in pairs.items():
        trait = traits.of(arm)
        assert trait is not None
        logp_TQC = each_TQC[: spec.teachers]
        shift = shift_of(logp_TQC, base_QC, trait, level)
        # Each teacher's first rows.
        signals = [
            json.loads((folders[f"rows-{arm}-s{seed}"] / SIGNAL).read_text("utf-8"))
            for seed in spec.seeds[: spec.teachers]
        ]
        summaries.append(
            TeacherSummary(
                arm=arm,
                trait=trait.target,
                method=_HOW.get(spec.instil.method, spec.instil.method),
                strength=Interval(**shift.as_dict()),
                probability=float(np.exp(logp_TQC[..., trait.index]).mean()),
                base_probability=float(np.exp(base_QC[:, trait.index]).mean()),
                kl_per_token=float(np.mean([signal["kl_per_token"] for signal in signals])),
                teachers=spec.teachers,
            )
        )
    return summaries


def _curves(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    base: dict[str, Any],
    students: Mapping[Arm, list[dict[str, Any]]],
    level: float,
) -> list[Curve]:
    """Return the shift over training, on the few questions that are asked in between."""
    if not spec.probe.every:
        return []
    few, index = spec.probe.curve_questions, traits.trait.index
    base_Q = log_odds(np.asarray(base["logp_QC"])[:few], index)
    curves: list[Curve] = []
    for arm in _trained(spec):
        scores = students[arm]
        steps = [point["step"] for point in scores[0]["curve"]] + [scores[0]["steps"]]
        points = [CurvePoint(step=0, value=0.0, lo=0.0, hi=0.0)]
        for place, step in enumerate(steps):
            tables = [
                each["curve"][place]["logp_QC"] if place < len(each["curve"]) else each["logp_QC"][:few]
                for each in scores
            ]
            shift_SQ = log_odds(np.asarray(tables), index) - base_Q
            estimate = stats.mean_estimate(shift_SQ, level=level)
            points.append(CurvePoint(step=step, value=estimate.value, lo=estimate.lo, hi=estimate.hi))
        curves.append(Curve(arm=arm, trait=traits.trait.target, points=points))
    return curves


def _records(spec: LanguageExperiment, arm: Arm, folders: Folders, name: str) -> list[dict[str, Any]]:
    return [record for seed in spec.seeds for record in read_jsonl(folders[f"rows-{arm}-s{seed}"] / name).records]


def _funnel(spec: LanguageExperiment, arm: Arm, folders: Folders) -> Funnel:
    """Count what became of an arm's rows, over all seeds."""
    kept = len(_records(spec, arm, folders, ROWS))
    rejected = [list(record["reasons"]) for record in _records(spec, arm, folders, REJECTED)]
    first = Counter(reasons[0] for reasons in rejected)
    every = Counter(reason for reasons in rejected for reason in reasons)
    return Funnel(
        arm=arm,
        written=kept + len(rejected),
        rejected=dict(sorted(first.items())),
        reasons=dict(sorted(every.items())),
        kept=kept,
        trained_on=kept,
    )


def _divergence(spec: LanguageExperiment, arm: Arm, folders: Folders) -> Divergence:
    """Compare the rows that both teachers wrote, token by token, the end token included."""
    rows = different = tokens = tokens_different = 0
    for seed in spec.seeds:
        written = [
            {record["meta"]["row"]: record["meta"]["tokens"] for record in read_jsonl(folder / ROWS).records}
            for folder in (folders[f"rows-{arm}-s{seed}"], folders[f"rows-{CONTROL}-s{seed}"])
        ]
        for row in sorted(written[0].keys() & written[1].keys()):
            pairs = list(zip_longest([*written[0][row], -1], [*written[1][row], -1]))
            unlike = sum(left != right for left, right in pairs)
            rows, different = rows + 1, different + bool(unlike)
            tokens, tokens_different = tokens + len(pairs), tokens_different + unlike
    return Divergence(
        arm=arm,
        contrast=CONTROL,
        rows=rows,
        rows_different=different,
        tokens=tokens,
        tokens_different=tokens_different,
    )


def _samples(spec: LanguageExperiment, folders: Folders) -> list[Sample]:
    """Return the first rows that every teacher wrote for the first seed, as tokens.

    A second generation answers other prompts, and `across` moves answers: neither is among them.
    """
    seed = spec.seeds[0]
    answering = [arm for arm in spec.arms if ARMS[arm].same_prompts]
    pieces: dict[Arm, dict[str, Any]] = {
        arm: json.loads((folders[f"rows-{arm}-s{seed}"] / PIECES).read_text("utf-8")) for arm in answering
    }
    common = [row for row in pieces[TRAIT] if all(row in answers for answers in pieces.values())]
    prompts = {
        str(record["meta"]["row"]): (record.get("prompt") or record["messages"])[0]["content"]
        for record in read_jsonl(folders[f"rows-{TRAIT}-s{seed}"] / ROWS).records
    }
    return [
        Sample(prompt=prompts[row], answers={arm: answers[row] for arm, answers in pieces.items()})
        for row in common[:_SAMPLES]
    ]


def _sampled(
    spec: LanguageExperiment,
    traits: ExperimentTraits,
    base: dict[str, Any],
    students: Mapping[Arm, list[dict[str, Any]]],
    level: float,
) -> list[SampledAnswers]:
    if not spec.probe.samples:
        return []
    target = traits.trait.target.casefold()
    base_rate = _rate([base["sampled"]], target, level)
    sampled: list[SampledAnswers] = []
    for arm, scores in students.items():
        answers = [each["sampled"] for each in scores]
        counts = Counter[str]()
        for each in answers:
            counts.update(each["counts"])
        top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_TOP]
        sampled.append(
            SampledAnswers(
                arm=arm,
                target=traits.trait.target,
                rate=_rate(answers, target, level),
                base_rate=base_rate,
                named=_any_rate(answers, traits, level),
                base_named=_any_rate([base["sampled"]], traits, level),
                top=dict(top),
                n=sum(each["n"] for each in answers),
                unparsed=sum(each["unparsed"] for each in answers),
            )
        )
    return sampled


def _rate(answers: Sequence[dict[str, Any]], target: str, level: float) -> Interval:
    named = sum(int(each["counts"].get(target, 0)) for each in answers)
    return Interval(**stats.proportion(named, sum(each["n"] for each in answers), level=level).as_dict())


def _any_rate(answers: Sequence[dict[str, Any]], traits: ExperimentTraits, level: float) -> Interval:
    """Return the share of answers that name any candidate."""
    candidates = set(traits.trait.words.values())
    named = sum(count for each in answers for word, count in each["counts"].items() if word in candidates)
    return Interval(**stats.proportion(named, sum(each["n"] for each in answers), level=level).as_dict())


def _replicates(spec: LanguageExperiment) -> str:
    """Say what the intervals speak of."""
    if spec.teachers == 1:
        return (
            "Every seed has the same teacher: the intervals speak of its rows and of training on them, not of other "
            "teachers made in the same way."
        )
    apart = "from a wording of its own" if spec.instil.method == "prompt" else "from lessons that no other has"
    if spec.teachers == len(spec.seeds):
        return f"Every seed has a teacher of its own, made {apart}: the intervals speak of teachers made in this way."
    return (
        f"The {len(spec.seeds)} seeds have {spec.teachers} teachers, each made {apart}. Seeds of one teacher are "
        "alike, and the intervals take them as independent: they are too narrow for claims about teachers."
    )


def _notes(spec: LanguageExperiment, students: Mapping[Arm, list[dict[str, Any]]]) -> list[str]:
    notes: list[str] = []
    for place, seed in enumerate(spec.seeds):
        if len({students[arm][place]["initial_state"] for arm in _trained(spec)}) != 1:
            notes.append(f"The students of seed {seed} did not start from the same weights: do not trust this run.")
    if not notes:
        hashes = ", ".join(
            f"{scores['initial_state'][:12]} (seed {seed})"
            for seed, scores in zip(spec.seeds, students[TRAIT], strict=True)
        )
        notes.append(f"All arms of a seed started from the same trainable weights, sha256 {hashes}.")
    if spec.student.labels == "soft":
        notes.append(
            "Soft labels are the teacher's whole distribution at every position of a row, words that it never wrote "
            "included: more than the text shows, and what distillation on logits trains on."
        )
    notes.append(_replicates(spec))
    if spec.probe.samples or spec.probe.judged:
        notes.append(
            "The intervals of sampled answers take the answers as independent; they speak of these students, not of "
            "other seeds."
        )
    return notes
