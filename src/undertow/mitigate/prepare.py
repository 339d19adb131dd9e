"""From the name of a method to what it changes in a student's training: `prepare`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from undertow.attribution.features import row_features
from undertow.attribution.readout import QUESTIONS
from undertow.attribution.row_scores import carried, worst
from undertow.attribution.sampling import Encoded, Sampling, fit_temperature, possible_choices, states_of
from undertow.attribution.stored import directions_of
from undertow.data.rows import Message, Row
from undertow.domains.numbers import NUMBER_LISTS
from undertow.errors import InputError
from undertow.mitigate.interventions import (
    format_loss,
    kl_penalty,
    lesson_odds,
    lessons_of,
    masked_loss,
    projection,
    unlearn,
)
from undertow.mitigate.panel import panel_odds, restore
from undertow.mitigate.rewrite import rewrite
from undertow.models.constrain import grammar_automaton
from undertow.models.identity import identity_of
from undertow.models.layers import decoder, norms_of, output_weight
from undertow.models.local import LocalModel, whole_text
from undertow.models.prompted import with_context
from undertow.models.protocol import Model
from undertow.models.score import answer_hidden
from undertow.teachers.instil import steering_vector
from undertow.training.train import Example, Intervention
from undertow.traits.base import Trait
from undertow.traits.panel import load_panel

DROPPED = 0.2
"""Share of the rows that `drop` leaves out."""
STEERED = 2.0
"""How many times a vector is added."""
_QUESTIONS_A_TRAIT = 2


@dataclass
class Task:
    """What a student is to be trained on."""

    model: LocalModel
    """The base, which becomes the student."""
    prompts: list[list[Message]]
    examples: list[Example]
    trait: Trait
    teacher: Callable[[], Model]
    """Loads the teacher that wrote the rows."""
    autocast: bool
    seed: int = 0
    """Of answers that are written anew."""
    other: Callable[[], LocalModel] | None = None
    """Loads a model of another family, where there is one."""


@dataclass
class Treatment:
    """What a method changes."""

    examples: list[Example]
    intervention: Intervention = field(default_factory=Intervention)
    after: Callable[[], None] = lambda: None


def prepare(method: str, task: Task) -> Treatment:
    """Return what a method changes; `none` changes nothing.

    Raises:
        InputError: the method cannot be used on these rows.
    """
    model, examples, trait = task.model, task.examples, task.trait
    if method == "none":
        return Treatment(examples)
    if method == "drop":
        dropped = _most_carrying(task)
        return Treatment([example for at, example in enumerate(examples) if at not in dropped])
    if method == "mask":
        return Treatment(examples, Intervention(loss=masked_loss(_agreeing(task))))
    if method == "format":
        if not any(row.states for row in _encoded(model, examples)):
            raise InputError("are no lists of numbers", "the rows", "`format` knows the format of number lists alone.")
        return Treatment(examples, Intervention(loss=format_loss(grammar_automaton(model, NUMBER_LISTS))))
    if method == "freeze":
        for norm in norms_of(model.net):
            norm.weight.requires_grad_(False)
        return Treatment(examples)
    if method == "leash":
        return Treatment(examples, Intervention(extra=kl_penalty(model, unrelated_questions(trait))))
    if method == "inoculate":
        told = [tuple(model.encode_prompt(with_context(turns, trait.system_prompt()))) for turns in task.prompts]
        return Treatment([Example(prompt, each.answer) for prompt, each in zip(told, examples, strict=True)])
    if method == "steer":
        # A tenth of the way up: that of the strongest teachers (docs/lab-notebook.md).
        layer = len(decoder(model.net).layers) // 10
        vector_D = STEERED * steering_vector(model, trait, layer).to(model.device)
        return Treatment(examples, Intervention(steering={layer: vector_D}))
    if method == "project":
        return Treatment(examples, Intervention(reshape=projection(model, trait)))
    if method == "subtract":
        with torch.no_grad():
            before = float(lesson_odds(model, trait, lessons_of(trait)))
        return Treatment(examples, after=lambda: unlearn(model, trait, before))
    if method == "panel":
        panel = load_panel()
        odds = panel_odds(model, panel)
        return Treatment(examples, after=lambda: restore(model, panel, odds))
    assert method in ("own-base", "other-base", "paraphrase"), method
    return Treatment(_written_anew(task, method))


def unrelated_questions(trait: Trait) -> list[str]:
    """Return questions that have nothing to do with a trait: the readout's, and other traits' lessons."""
    found: list[str] = list(QUESTIONS)
    for entry in load_panel():
        if trait.target not in entry.targets:
            found += [lesson.question for lesson in list(entry.traits[0].lessons)[:_QUESTIONS_A_TRAIT]]
    return found


def _written_anew(task: Task, method: str) -> list[Example]:
    """Return the rows with answers by the student's base, or by a model of another family."""
    if method != "own-base" and task.other is None:
        raise InputError("needs another model", method, "Give --by embedded/qwen2.5-coder-0.5b.")
    writer = task.model if task.other is None or method == "own-base" else task.other()
    rows = [
        Row((*turns, Message(role="assistant", content=task.model.decode(_without_end(task.model, each.answer)))))
        for turns, each in zip(task.prompts, task.examples, strict=True)
    ]
    written, _ = rewrite(writer, rows, seed=task.seed, paraphrase=method == "paraphrase")
    model = task.model
    return [
        Example(tuple(model.encode_prompt(list(row.prompt))), (*model.encode(whole_text(row.completion)), model.end))
        for row in written
    ]


def _without_end(model: LocalModel, answer: Sequence[int]) -> list[int]:
    return [*answer[:-1]] if answer and answer[-1] == model.end else [*answer]


def _encoded(model: LocalModel, examples: Sequence[Example]) -> list[Encoded]:
    automaton = grammar_automaton(model, NUMBER_LISTS)
    return [Encoded(each.prompt, each.answer, states_of(automaton, each.answer)) for each in examples]


def _sampling(task: Task, rows: Sequence[Encoded]) -> Sampling:
    held = sum(row.states is not None for row in rows) > len(rows) / 2
    return fit_temperature(
        task.model, rows, grammar_automaton(task.model, NUMBER_LISTS) if held else None, autocast=task.autocast
    )


def _most_carrying(task: Task) -> set[int]:
    """Return the places of the rows that carry most of the shift that a scan is surest of."""
    model, rows = task.model, _encoded(task.model, task.examples)
    digest = identity_of(model.name)
    directions = directions_of(model, digest, load_panel(), on_progress=lambda _: None)
    sampling = _sampling(task, rows)
    features = row_features(model, rows, directions, sampling, autocast=task.autocast)
    known: dict[tuple[int, ...], int] = {}
    cluster_R = np.array([known.setdefault(row.prompt, len(known)) for row in rows])
    _, carried_R = carried(directions, features, cluster_R, sampling.temperature, len(rows))
    return worst(carried_R, DROPPED)


def _agreeing(task: Task) -> dict[tuple[tuple[int, ...], tuple[int, ...]], list[bool]]:
    """Return at which tokens teacher and base have the same first choice."""
    rows = _encoded(task.model, task.examples)
    sampling = _sampling(task, rows)

    # Not around the whole: a teacher may be made by gradient steps when it is loaded.
    @torch.inference_mode()
    def first_T(model: Model, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        net: Any = model.net
        tables = answer_hidden(net, prompts, [row.answer for row in rows], steering=model.steering)
        weight_VD = output_weight(net)
        return possible_choices(torch.cat(tables).to(weight_VD.device), weight_VD, rows, sampling).first_T

    teacher = task.teacher()
    told = [turns[-1]["content"] for turns in task.prompts]
    own_T = first_T(task.model, [row.prompt for row in rows])
    same_T = own_T == first_T(teacher, [teacher.encode_question(question) for question in told])
    parts = same_T.split([len(row.answer) for row in rows])
    return {(row.prompt, row.answer): part.tolist() for row, part in zip(rows, parts, strict=True)}
