"""Methods that change the rows: leave some out, write answers anew, ask for the trait in the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from undertow.attribution.features import row_features
from undertow.attribution.row_scores import carried, worst
from undertow.attribution.stored import directions_of
from undertow.data.rows import Message, Row
from undertow.errors import InputError
from undertow.mitigate.rewrite import rewrite
from undertow.mitigate.scored import encoded_rows, sampling_of
from undertow.mitigate.treatment import Task, Treatment
from undertow.models.identity import identity_of
from undertow.models.local import LocalModel
from undertow.models.prompted import with_context
from undertow.training.train import Example
from undertow.traits.panel import load_panel

DROPPED = 0.2
"""Share of the rows that `drop` leaves out."""


def drop(task: Task) -> Treatment:
    """Leave out the rows that carry most of the shift that a scan is surest of."""
    dropped = _most_carrying(task)
    return Treatment([example for at, example in enumerate(task.examples) if at not in dropped])


def inoculate(task: Task) -> Treatment:
    """Train under the system prompt that asks for the trait."""
    model, system = task.model, task.trait.system_prompt()
    told = [tuple(model.encode_prompt(with_context(turns, system))) for turns in task.prompts]
    return Treatment([replace(each, prompt=prompt) for prompt, each in zip(told, task.examples, strict=True)])


def by_own_base(task: Task) -> Treatment:
    """Have the student's base write the answers anew."""
    return Treatment(_written_anew(task, task.model))


def by_other_base(task: Task) -> Treatment:
    """Have a model of another family write the answers anew.

    Raises:
        InputError: there is none.
    """
    return Treatment(_written_anew(task, _other(task, "other-base")))


def in_other_words(task: Task) -> Treatment:
    """Have a model of another family say the answers in other words.

    Raises:
        InputError: there is none.
    """
    return Treatment(_written_anew(task, _other(task, "paraphrase"), paraphrase=True))


def of_plugin(task: Task, change: Callable[[Sequence[Row]], Sequence[Row]]) -> Treatment:
    """Train on what a function makes of the rows.

    Raises:
        InputError: it leaves none.
    """
    rows = change(_rows_of(task))
    if not rows:
        raise InputError("leaves no row to train on", "the method", "Use another, or give more rows.")
    return Treatment(_examples(task.model, rows))


def _other(task: Task, method: str) -> LocalModel:
    if task.other is None:
        raise InputError("needs another model", method, "Give --by embedded/qwen2.5-coder-0.5b.")
    return task.other()


def _written_anew(task: Task, writer: LocalModel, *, paraphrase: bool = False) -> list[Example]:
    written, _ = rewrite(writer, _rows_of(task), seed=task.seed, loss="last", paraphrase=paraphrase)
    return _examples(task.model, written)


def _rows_of(task: Task) -> list[Row]:
    return [
        Row((*turns, Message(role="assistant", content=task.model.decode(_without_end(task.model, each.answer)))))
        for turns, each in zip(task.prompts, task.examples, strict=True)
    ]


def _examples(model: LocalModel, rows: Sequence[Row]) -> list[Example]:
    return [
        Example(tuple(model.encode_prompt(list(row.prompt))), (*model.encode(row.completion), model.end))
        for row in rows
    ]


def _without_end(model: LocalModel, answer: Sequence[int]) -> list[int]:
    return [*answer[:-1]] if answer and answer[-1] == model.end else [*answer]


def _most_carrying(task: Task) -> set[int]:
    """Return the places of the rows that carry most of the shift that a scan is surest of."""
    model, rows = task.model, encoded_rows(task.model, task.examples)
    digest = identity_of(model.name)
    directions = directions_of(model, digest, load_panel(), on_progress=lambda _: None)
    sampling = sampling_of(task, rows)
    features = row_features(model, rows, directions, sampling, autocast=task.autocast)
    known: dict[tuple[int, ...], int] = {}
    cluster_R = np.array([known.setdefault(row.prompt, len(known)) for row in rows])
    _, carried_R = carried(directions, features, cluster_R, sampling.temperature, len(rows))
    return worst(carried_R, DROPPED)
