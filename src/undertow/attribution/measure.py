"""Looking at rows: their features, a window at a time, and what the base answers; each a step of the folder.

It knows a run folder and a model; what the numbers mean is `prediction`'s business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.directions import Directions
from undertow.attribution.encoding import encode_rows, takes_conversations, template_notes
from undertow.attribution.features import Features, row_features
from undertow.attribution.sampling import Encoded, Sampling, fit_temperature, states_of
from undertow.attribution.stored import load_features, save_features
from undertow.data.sample import Chosen, Placed, count_rows, row_numbers
from undertow.errors import RowError
from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.models.precision import Precision, choose_precision
from undertow.store.folder import RunFolder
from undertow.store.record import stored
from undertow.system.progress import Progress
from undertow.traits.panel import Panel

WINDOW = 128
"""Rows in a step: what a scan that is stopped has to do again, at most."""


@dataclass(frozen=True)
class EncodedRows:
    """Rows of a dataset as tokens, with how they were written."""

    label: str
    chosen: Chosen
    rows: list[Placed]
    """Those that fit into the student's context; one for each answer that carries loss."""
    encoded: list[Encoded]
    sampling: Sampling
    too_long: int
    """Chosen rows that could not be measured."""

    @property
    def left_out(self) -> int:
        """Rows that are not in the sample."""
        return self.chosen.read - self.count - self.too_long

    @property
    def count(self) -> int:
        """Rows of the dataset, whose answers these are."""
        return count_rows(self.rows)

    @property
    def unit(self) -> str:
        """What is encoded and measured one by one."""
        return "rows" if self.count == len(self.rows) else "answers"

    def first(self, count: int) -> list[int]:
        """Return the places of the answers of so many whole rows, in the order of the hashes of their prompts."""
        numbers = row_numbers(self.rows)
        order = sorted(range(len(self.rows)), key=lambda at: (self.rows[at].prompt_hash, at))
        taken = set([*dict.fromkeys(numbers[at] for at in order)][:count])
        return [at for at in order if numbers[at] in taken]

    @property
    def cluster_R(self) -> NDArray[np.int64]:
        """The rows' prompts: equal for rows that are one draw."""
        return np.array([placed.prompt_hash for placed in self.rows], dtype=np.int64)

    def cut(self, count: int) -> EncodedRows:
        """Return the same with so many rows, each with all its answers."""
        places = sorted(self.first(count))
        rows, encoded = ([each[at] for at in places] for each in (self.rows, self.encoded))
        return replace(self, rows=rows, encoded=encoded)


@dataclass(frozen=True)
class MeasuredRows(EncodedRows):
    """Rows with their features."""

    features: Features


@dataclass(frozen=True)
class Setup:
    """A model, the directions to measure, and the folder for results."""

    folder: RunFolder
    model: LocalModel
    panel: Panel
    directions: Directions
    key: dict[str, Any]
    """Stands for the model and the panel."""
    precision: Precision
    progress: Progress


def encode_dataset(model: LocalModel, chosen: Chosen, label: str, sampling: Sampling | None = None) -> EncodedRows:
    """Turn rows into tokens, and find out how they were written unless that is given.

    Raises:
        RowError: fewer than two rows fit into the model's context.
    """
    if chosen.skip_broken:
        taken, refused = takes_conversations(model, chosen.rows, skip=True)
        read, broken = chosen.read - len(refused), [*chosen.broken, *refused]
        chosen = replace(chosen, rows=taken, read=read, broken=broken)
    rows, encoded, automaton = encode_rows(model, chosen.rows)
    chosen = replace(chosen, shown=tuple(template_notes(model, rows)))
    too_long = count_rows(chosen.rows) - count_rows(rows)
    if count_rows(rows) < 2:
        raise RowError(
            f"has {count_rows(rows)} row of {chosen.read:,} that can be measured (longer than the student's context: "
            f"{too_long:,})",
            label,
            "A scan needs at least two rows. With fewer than fifty it has little power.",
        )
    found = sampling or fit_temperature(model, encoded, automaton, autocast=choose_precision().autocast)
    return EncodedRows(label, chosen, rows, encoded, found, too_long)


def encode_reference(model: LocalModel, others: Chosen, opened: EncodedRows) -> EncodedRows:
    """Turn reference rows into tokens: lists beside lists at a temperature of their own, others as the rows are.

    Args:
        model: The base.
        others: The reference.
        opened: The rows.

    Raises:
        RowError: fewer than two of them fit into the model's context.
    """
    if opened.sampling.automaton is not None:
        reference = encode_dataset(model, others, "reference")
        if reference.sampling.automaton is not None:
            return reference
    return encode_dataset(model, others, "reference", replace(opened.sampling, automaton=None))


def measure_rows(setup: Setup, opened: EncodedRows, tick: Callable[[int], None]) -> MeasuredRows:
    """Compute the features of rows; `tick` is called with the number of finished ones."""
    paths: list[Path] = []
    for first in range(0, len(opened.rows), WINDOW):
        window = opened.encoded[first : first + WINDOW]

        def build(part: Path, window: Sequence[Encoded] = window, first: int = first) -> None:
            features = row_features(
                setup.model,
                window,
                setup.directions,
                opened.sampling,
                autocast=setup.precision.autocast,
                on_progress=lambda count: tick(first + count),
            )
            save_features(part / "features.safetensors", features)

        label = f"{opened.label}-{first // WINDOW:05d}"
        step = setup.folder.step("scan", label, step_key(setup, window, opened.sampling), build)
        paths.append(step / "features.safetensors")
        tick(first + len(window))
    return MeasuredRows(
        opened.label,
        opened.chosen,
        opened.rows,
        opened.encoded,
        opened.sampling,
        opened.too_long,
        load_features(paths),
    )


def base_answers(setup: Setup, opened: EncodedRows, temperature: float, tick: Callable[[float], None]) -> EncodedRows:
    """Let the base answer the prompts of some rows itself, in their format if they have one: reference rows."""
    sampling = replace(opened.sampling, temperature=temperature)
    key = step_key(setup, opened.encoded, sampling)

    def answer() -> list[list[int]]:
        return sampled_answers(setup.model, opened, temperature, tick)

    answers = [*map(tuple, stored(setup.folder, "reference", "base-answers", key, list[list[int]], answer))]
    automaton = sampling.automaton
    encoded = [
        Encoded(row.prompt, answer, None if automaton is None else states_of(automaton, answer), row.weight)
        for row, answer in zip(opened.encoded, answers, strict=True)
        if answer
    ]
    rows = [placed for placed, answer in zip(opened.rows, answers, strict=True) if answer]
    return EncodedRows("reference", Chosen(rows, count_rows(rows)), rows, encoded, sampling, 0)


def sampled_answers(
    model: LocalModel, opened: EncodedRows, temperature: float, tick: Callable[[float], None] = lambda _: None
) -> list[list[int]]:
    """Return what a model answers to the prompts of some rows, as tokens."""
    answers = generate(
        model.net,
        [row.prompt for row in opened.encoded],
        range(len(opened.encoded)),
        seed=0,
        end=model.end,
        max_tokens=max(len(row.answer) for row in opened.encoded),
        temperature=temperature,
        automaton=opened.sampling.automaton,
        on_progress=lambda done: tick(done / len(opened.encoded)),
    )
    return [[*answer.tokens, *([model.end] if answer.finished else [])] for answer in answers]


def step_key(setup: Setup, rows: Sequence[Encoded], sampling: Sampling) -> dict[str, Any]:
    """Return a key for some rows as they are measured."""
    # Rows without a weight have the keys that they had before weights counted.
    parts = [(row.prompt, row.answer, row.states, *([] if row.weight == 1 else [row.weight])) for row in rows]
    tokens = hashlib.sha256(repr(parts).encode()).hexdigest()
    return {**setup.key, "rows": tokens, "temperature": sampling.temperature, "precision": setup.precision.dtype}
