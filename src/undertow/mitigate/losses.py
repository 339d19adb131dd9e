"""Methods that change the loss: on which tokens, of what, and with what beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from undertow.attribution.readout import QUESTIONS
from undertow.attribution.sampling import possible_choices
from undertow.domains.numbers import NUMBER_LISTS
from undertow.errors import InputError
from undertow.mitigate.interventions import format_loss, kl_penalty, masked_loss
from undertow.mitigate.scored import encoded_rows, sampling_of
from undertow.mitigate.treatment import Task, Treatment
from undertow.models.constrain import grammar_automaton
from undertow.models.engine.head import head_of
from undertow.models.protocol import Model
from undertow.models.score import answer_hidden
from undertow.training.train import Intervention
from undertow.traits.base import Trait
from undertow.traits.panel import load_panel

_QUESTIONS_A_TRAIT = 2


def mask(task: Task) -> Treatment:
    """Learn only from tokens where the teacher's first choice is the base's."""
    return Treatment(task.examples, Intervention(loss=masked_loss(_agreeing(task))))


def keep_format(task: Task) -> Treatment:
    """Learn whether a token keeps the format, and not which of those that do it is.

    Raises:
        InputError: the rows are no lists of numbers.
    """
    if not any(row.states for row in encoded_rows(task.model, task.examples)):
        raise InputError("are no lists of numbers", "the rows", "`format` knows the format of number lists alone.")
    return Treatment(task.examples, Intervention(loss=format_loss(grammar_automaton(task.model, NUMBER_LISTS))))


def penalise(task: Task) -> Treatment:
    """Keep the first answers to unrelated questions near the base's."""
    return Treatment(task.examples, Intervention(extra=kl_penalty(task.model, unrelated_questions(task.trait))))


def unrelated_questions(trait: Trait) -> list[str]:
    """Return questions that have nothing to do with a trait: the readout's, and other traits' lessons."""
    found: list[str] = list(QUESTIONS)
    for entry in load_panel():
        if trait.target not in entry.targets:
            found += [lesson.question for lesson in list(entry.traits[0].lessons)[:_QUESTIONS_A_TRAIT]]
    return found


def _agreeing(task: Task) -> dict[tuple[tuple[int, ...], tuple[int, ...]], list[bool]]:
    """Return at which tokens teacher and base have the same first choice."""
    rows = encoded_rows(task.model, task.examples)
    sampling = sampling_of(task, rows)

    # Not around the whole: a teacher may be made by gradient steps when it is loaded.
    @torch.inference_mode()
    def first_T(model: Model, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        net: Any = model.net
        tables = answer_hidden(net, prompts, [row.answer for row in rows], steering=model.steering)
        head = head_of(net)
        return possible_choices(torch.cat(tables).to(head.device), head, rows, sampling).first_T

    teacher = task.teacher()
    told = [turns[-1]["content"] for turns in task.prompts]
    own_T = first_T(task.model, [row.prompt for row in rows])
    same_T = own_T == first_T(teacher, [teacher.encode_question(question) for question in told])
    parts = same_T.split([len(row.answer) for row in rows])
    return {(row.prompt, row.answer): part.tolist() for row, part in zip(rows, parts, strict=True)}
