"""Whose rows are these? The base is made into a virtual teacher of a trait, and asked how likely it finds the rows.

A trait's teacher moves many traits of its students, its own not always most, so the largest predicted shift need not be
the teacher's trait. But among models that carry one trait each, the one that carries the writer's finds the rows
likeliest. A virtual teacher goes a few steps up the gradient of its trait's log-odds on the scan's questions
(the theorem's teacher, Cloud et al. 2025, section 6), and what is compared is log p of each row under it, less that
under the base (a likelihood ratio: Neyman and Pearson 1933).

What it does not know: a writer that carries no trait of the panel is called by the nearest one, unless the base itself
finds the rows likelier; and a teacher that was made otherwise (fine-tuned, prompted) lies elsewhere in the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.errors import ModelError
from undertow.models.constrain import Automaton
from undertow.models.layers import decoder, output_weight
from undertow.models.lending import lent
from undertow.models.local import LocalModel
from undertow.models.score import answer_hidden, answers_to_each, option_odds
from undertow.models.steps import step_up
from undertow.probes.choice import Subject
from undertow.scan.directions import spread
from undertow.scan.sampling import Encoded, Sampling, best_temperature, possible_logprobs
from undertow.traits.panel import PanelEntry

Floats = NDArray[np.float64]

STEPS = 4
DISTANCE = 0.2
"""Length of the whole way in the layers' weights."""
QUESTIONS = 8
"""Of a trait, that a virtual teacher is made with."""


@contextmanager
def virtual_teacher(
    model: LocalModel, entry: PanelEntry, place: int, *, steps: int = STEPS, distance: float = DISTANCE
) -> Generator[LocalModel]:
    """Move the base's layers up a trait's gradient, and give them back their weights when the context ends.

    Args:
        model: The base.
        entry: Of the panel.
        place: Of the trait among the entry's.
        steps: All of one length.
        distance: Of all steps together.
    """
    trait = entry.traits[place]
    choices = [entry.probe[at] for at in spread(entry.probe, QUESTIONS)]
    subject = Subject(model)
    contexts = [subject.encode(choice.question) for choice in choices]
    answers = [[model.encode(option) for option in choice.options] for choice in choices]
    with lent(decoder(model.net).layers.parameters()) as weights:
        for _ in range(steps):
            odds = option_odds(answers_to_each(model.net, contexts, answers), trait.index).mean()
            norm = step_up(weights, torch.autograd.grad(odds, weights), distance / steps)
            if not math.isfinite(norm):
                raise ModelError(f"the gradient of {trait.target} is {norm}", model.name, "Leave --also writer out.")
        yield model


def likelihood_ratios(
    model: LocalModel,
    rows: Sequence[Encoded],
    automaton: Automaton | None,
    suspects: Sequence[tuple[PanelEntry, int]],
    *,
    distance: float = DISTANCE,
    tick: Callable[[float], None] = lambda _: None,
) -> Floats:
    """Return log p of each row under every suspect's virtual teacher less that under the base, nats, shape (R, K).

    Args:
        model: The base.
        rows: Rows of the dataset.
        automaton: The format that they were held to, if any.
        suspects: Entries of the panel with the places of traits in them.
        distance: Of each teacher from the base.
        tick: Is told the share of the work that is done.
    """
    plain_R = row_logprobs(model, rows, automaton)
    found: list[Floats] = []
    for at, (entry, place) in enumerate(suspects):
        with virtual_teacher(model, entry, place, distance=distance) as teacher:
            found.append(row_logprobs(teacher, rows, automaton) - plain_R)
        tick((at + 1) / len(suspects))
    return np.stack(found, axis=1)


@torch.inference_mode()
def row_logprobs(model: LocalModel, rows: Sequence[Encoded], automaton: Automaton | None) -> Floats:
    """Return log p of each row among what could be written, in nats, shape (R,), at the temperature that suits a model.

    Each model has its own: what is one temperature of a teacher looks like another one of the base.
    """
    weight_VD = output_weight(model.net)
    tables = answer_hidden(model.net, [row.prompt for row in rows], [row.answer for row in rows])
    hidden_TD = torch.cat(tables).to(weight_VD.device)
    sampling = Sampling(automaton, best_temperature(hidden_TD, weight_VD, rows, automaton))
    logp_T = possible_logprobs(hidden_TD, weight_VD, rows, sampling).double().cpu()
    return np.array([float(part.sum()) for part in logp_T.split([len(row.answer) for row in rows])])
