"""Teacher inference: rows are scored under virtual teachers, which are made from the base, one for each trait.

A trait's teacher shifts many traits of its students, and its own trait not always most. So the largest predicted shift
can be another trait than the teacher's. A virtual teacher takes a few gradient-ascent steps on its trait's log-odds, on
the scan's questions (the theorem's teacher, Cloud et al. 2025, section 6).

Each token has a log-likelihood ratio: its log p under the teacher minus that under the base (Neyman and Pearson 1933).
The two distributions give the ratio's mean and variance over the tokens that the base could have written. A row's score
is its ratio minus the mean, in standard deviations. Rows of the base score zero on average. For small distances the
score is the scan's own evidence (score test, Rao 1948). At the teachers' distance it has more power. Unlike the rows'
likelihood, it has no penalty for the distance itself, which suits some traits and is too far for others
(docs/lab-notebook.md).

Fine-tuned teachers lie elsewhere in the weights, and their rows share most of their effect, whatever the trait. So one
more candidate is the base fine-tuned on meaningless answers (`FineTuned`). Rows that score highest for it are reported
as such, and not under the name of a trait near it (docs/results.md#scan).

There are two limits. A teacher without a trait of the panel is given the name of the nearest trait. And answers that
were filtered, cut off, or sampled from the top tokens alone are not the base's own. They score above or below zero,
unless reference rows had the same selection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.attribution.sampling import (
    Encoded,
    Sampling,
    best_temperature,
    first_rows,
    possible_ratios,
    states_before,
)
from undertow.config.parts import FineTune
from undertow.errors import ModelError
from undertow.models.constrain import Automaton
from undertow.models.engine.head import head_of
from undertow.models.engine.network import network_of
from undertow.models.local import LocalModel
from undertow.models.score import answers_to_each, option_odds
from undertow.models.steps import step_up
from undertow.models.temporary_weights import temporary_weights
from undertow.probes.panel import spread
from undertow.teachers.fine_tuning import LORA, fine_tuning
from undertow.training.lora import add_lora
from undertow.training.train import Example, train
from undertow.traits.panel import Panel, PanelEntry

Floats = NDArray[np.float64]

STEPS = 4
DISTANCE = 0.2
"""Length of the whole way in the layers' weights."""
QUESTIONS = 8
"""Of a trait, that a virtual teacher is made with."""
_USUAL = FineTune(method="finetune")
"""How fine-tuned teachers are made by default. Steps of a scan do not hold it: a change must raise their version."""
_WITHOUT = "Leave --baseline teacher-inference out."


@dataclass(frozen=True)
class FineTuned:
    """A candidate: any model fine-tuned on answers to a panel's questions, whatever the answers were."""

    panel: Panel


Candidate = tuple[PanelEntry, int] | FineTuned
"""An entry of the panel with the place of a trait in it, or no trait at all."""


@contextmanager
def virtual_teacher(
    model: LocalModel,
    entry: PanelEntry,
    place: int,
    *,
    steps: int = STEPS,
    distance: float = DISTANCE,
    autocast: bool = False,
) -> Generator[LocalModel]:
    """Move the base's layers up a trait's gradient, and give them back their weights when the context ends.

    Args:
        model: The base.
        entry: Of the panel.
        place: Of the trait among the entry's.
        steps: All of one length.
        distance: Of all steps together.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
    """
    trait = entry.traits[place]
    choices = [entry.probe[at] for at in spread(entry.probe, QUESTIONS)]
    contexts = [model.encode_question(choice.question) for choice in choices]
    answers = [[model.encode(option) for option in choice.options] for choice in choices]
    with temporary_weights(network_of(model.net).layers.parameters()) as weights:
        for _ in range(steps):
            with torch.autocast(weights[0].device.type, torch.bfloat16, enabled=autocast):
                odds = option_odds(answers_to_each(model.net, contexts, answers), trait.index).mean()
            norm = step_up(weights, torch.autograd.grad(odds, weights, materialize_grads=True), distance / steps)
            if not math.isfinite(norm):
                raise ModelError(f"the gradient of {trait.target} is {norm}", model.name, _WITHOUT)
        yield model


@contextmanager
def tuned_teacher(
    model: LocalModel,
    panel: Panel,
    *,
    learning_rate: float = _USUAL.learning_rate,
    seed: int = 0,
    autocast: bool = False,
) -> Generator[LocalModel]:
    """Fine-tune an adapter of the base on answers picked at random, and take it off when the context ends.

    Until then the base has it too.

    Args:
        model: The base; its weights do not change.
        panel: Its questions are answered, `QUESTIONS` of each entry.
        learning_rate: Adam's.
        seed: Fixes the answers, the initial adapter and the order.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
    """
    rng = np.random.default_rng(seed)
    lessons = list[Example]()
    for entry in panel:
        for at in spread(entry.probe, QUESTIONS):
            choice = entry.probe[at]
            answer = choice.options[int(rng.integers(len(choice.options)))]
            lessons.append(Example(tuple(model.encode_question(choice.question)), (*model.encode(answer), model.end)))
    recipe = fine_tuning(len(lessons), steps=_USUAL.steps, learning_rate=learning_rate)
    weights = list(model.net.parameters())
    wanted = [weight.requires_grad for weight in weights]
    net = add_lora(model.net, LORA, seed)
    try:
        try:
            train(net, lessons, replace(recipe, autocast=autocast), seed=seed)
        except ModelError as error:
            raise ModelError(f"fine-tuning it failed: {error.what}", model.name, _WITHOUT) from error
        yield replace(model, net=net)
    finally:
        net.unload().eval()
        for weight, was in zip(weights, wanted, strict=True):
            weight.requires_grad_(was)


def teacher_scores(
    model: LocalModel,
    rows: Sequence[Encoded],
    automaton: Automaton | None,
    suspects: Sequence[Candidate],
    *,
    distance: float = DISTANCE,
    autocast: bool = False,
    tick: Callable[[float], None] = lambda _: None,
) -> Floats:
    """Return each row's score for every candidate, shape (R, K), in standard deviations of the base's rows.

    Sums over rows that the base wrote have mean zero and variance R, whatever the candidate, at the right temperatures;
    with fitted ones very nearly.

    Args:
        model: The base.
        rows: Rows of the dataset.
        automaton: The format that they were held to, if any.
        suspects: The candidates. A teacher is made for each.
        distance: Of each teacher of a trait from the base.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
        tick: Called with the share of the work that is done.
    """
    plain = sampled_states(model, rows, automaton, autocast)
    found: list[Floats] = []
    for at, suspect in enumerate(suspects):
        with _teacher(model, suspect, distance, autocast) as teacher:
            found.append(teacher_score(model, rows, sampled_states(teacher, rows, automaton, autocast), plain))
        tick((at + 1) / len(suspects))
    return np.stack(found, axis=1)


def _teacher(
    model: LocalModel, suspect: Candidate, distance: float, autocast: bool
) -> AbstractContextManager[LocalModel]:
    if isinstance(suspect, FineTuned):
        return tuned_teacher(model, suspect.panel, autocast=autocast)
    return virtual_teacher(model, *suspect, distance=distance, autocast=autocast)


SampledStates = tuple[torch.Tensor, Sampling]
"""A model's last hidden states (T, D) before the tokens of some rows, and how it would have sampled them."""


@torch.inference_mode()
def sampled_states(
    model: LocalModel, rows: Sequence[Encoded], automaton: Automaton | None, autocast: bool
) -> SampledStates:
    """Return a model's hidden states before the rows' tokens, and the temperature that suits it.

    Each model has its own: what is one temperature of a teacher looks like another one of the base.
    """
    head = head_of(model.net)
    hidden_TD = states_before(model, rows, autocast=autocast)
    some = rows if automaton is not None else first_rows(rows, _FIT_TOKENS)
    tokens = sum(len(row.answer) for row in some)
    return hidden_TD, Sampling(automaton, best_temperature(hidden_TD[:tokens], head, some, automaton))


_FIT_TOKENS = 512
"""Tokens of free text that a temperature is fitted to: each takes 45 passes over the whole vocabulary."""


@torch.inference_mode()
def teacher_score(
    model: LocalModel,
    rows: Sequence[Encoded],
    teacher: SampledStates,
    plain: SampledStates,
) -> Floats:
    """Return each row's score for a teacher, in standard deviations of the base's rows; shape (R).

    Args:
        model: The base.
        rows: The rows.
        teacher: What it sees of them, see `sampled_states`.
        plain: What the base sees.
    """
    found = possible_ratios(teacher, plain, head_of(model.net), rows)
    lengths = [len(row.answer) for row in rows]
    beyond_R, variance_R = (
        np.array([float(part.sum()) for part in each_T.double().cpu().split(lengths)])
        for each_T in (found.ratio_T - found.expected_T, found.variance_T)
    )
    deviation = float(variance_R.mean()) ** 0.5
    return beyond_R / deviation if deviation > _NOTHING else np.zeros(len(rows))


_NOTHING = 1e-4
"""Nats a row, below which two models differ by rounding."""
