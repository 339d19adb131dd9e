"""The rows of a task as a scan sees them: encoded, with the way in which they were sampled."""

from __future__ import annotations

from collections.abc import Sequence

from undertow.attribution.sampling import Encoded, Sampling, fit_temperature, states_of
from undertow.domains.numbers import NUMBER_LISTS
from undertow.mitigate.treatment import Task
from undertow.models.constrain import grammar_automaton
from undertow.models.local import LocalModel
from undertow.training.train import Example


def encoded_rows(model: LocalModel, examples: Sequence[Example]) -> list[Encoded]:
    """Return examples with their states in the format of number lists."""
    automaton = grammar_automaton(model, NUMBER_LISTS)
    return [Encoded(each.prompt, each.answer, states_of(automaton, each.answer), each.weight) for each in examples]


def sampling_of(task: Task, rows: Sequence[Encoded]) -> Sampling:
    """Return how rows were sampled, with the temperature that fits."""
    held = sum(row.states is not None for row in rows) > len(rows) / 2
    return fit_temperature(
        task.model, rows, grammar_automaton(task.model, NUMBER_LISTS) if held else None, autocast=task.autocast
    )
