"""How long cells take, foretold from the speed of earlier ones.

Speeds are those of cells of the same base: on this processor where there are some, else on any. Before the first cell
they are guessed from the embedded model's, scaled by the number of weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cells.design import Cell, Design
from benchmarks.cells.how import How
from benchmarks.cells.kept import Kept
from benchmarks.cells.study import Teacher
from benchmarks.cells.training import steps_by
from undertow.config.parts import FineTune, GradientAscent
from undertow.models.local import find_model
from undertow.pipeline.cost import LENGTHS, OTHER_LENGTHS, SMOLLM2, sizes_of
from undertow.traits.wordings import questions_of

_LOAD = 5.0
"""Seconds in which models are loaded."""
_SAMPLE = 4
"""Answers that are scored in the time of one that is sampled."""
_LESSON = 40
"""Tokens of a lesson of a fine-tuned teacher, and of an answer of a gradient-ascent teacher's."""
_LESSONS = 4
"""That a fine-tuned teacher takes a step."""
_ASCENT = 28 * 12
"""Answers that a gradient-ascent teacher takes a step, where its trait is a preference of the panel's."""
_FORWARD = 1 / 3
"""Of the time of a training step: a forward pass alone, as for soft labels."""


@dataclass(frozen=True)
class Speed:
    """What a machine does a second."""

    written: float = 150.0
    """Answer tokens."""
    trained: float = 500.0
    """Tokens of prompts and answers."""
    asked: float = 100.0
    """Answers to questions."""
    lengths: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Tokens of a row's question and of its answer, by the kind of its domain, where they are known."""
    measured: bool = False
    """Whether any earlier cell says so."""


def answers_of(design: Design) -> tuple[int, int]:
    """Return how many answers a model is asked for along the training, each time, and at its end."""
    few = whole = 0
    for entry in design.panel:
        first, second = questions_of(entry, "first"), questions_of(entry, "second")
        few += min(design.study.probe.questions, len(first)) * len(first[0].options)
        whole += sum(len(each.options) for each in (*first, *second))
    return few, whole


def speed_of(cells: Sequence[Kept], *, student: str, processor: str, base: str) -> Speed:
    """Return the speed of earlier cells.

    Args:
        cells: What is kept.
        student: What stands for the base's weights.
        processor: This machine's.
        base: The base's Undertow name, for a guess.
    """
    same = [each for each in cells if student in (each.definition.get("student"), _made_of(each))]
    here = [each for each in same if each.facts["versions"]["processor"] == processor] or same
    sizes = sizes_of(find_model(base), base)
    share = sum(SMOLLM2) / (sizes.layers + sizes.embedding)
    guess = Speed(Speed.written * share, Speed.trained * share, Speed.asked * share)
    if not here:
        return guess
    return Speed(
        # Rows are written once and used by several cells: for those this is 0 tokens in 0 seconds.
        written=_rate(here, lambda each: each["written"], "write") or guess.written,
        trained=_rate(here, lambda each: each["tokens"].get("trained", 0), "train") or guess.trained,
        asked=_rate(here, lambda each: each["tokens"]["asked"], "ask") or guess.asked,
        lengths=_lengths(here),
        measured=True,
    )


def seconds_of(cell: Cell, design: Design, speed: Speed, *, written: set[str]) -> float:
    """Foretell how long a cell takes.

    Args:
        cell: Of the design.
        design: The study's.
        speed: The machine's.
        written: Sets of rows that count as there; the cell's is added.
    """
    few, whole = answers_of(design)
    probe = design.study.probe
    named = [e for e in design.panel if e.kind == "preference" and e.name in (probe.sampled or (e.name,))]
    whole += _SAMPLE * probe.samples * sum(len(entry.probe) for entry in named)
    if cell.kind == "writer":
        return _LOAD + taught(design.study.teachers.get(cell.teacher, Teacher())) / speed.trained + whole / speed.asked
    kind = design.study.by_domain[cell.domain].kind
    guess = LENGTHS.get(kind, OTHER_LENGTHS)
    prompt, answer = speed.lengths.get(kind, (guess.prompt, guess.answer))
    spec = design.study.recipes[cell.recipe]
    steps = steps_by(spec, cell.count)
    read = {steps_by(spec, cell.count, epochs) for epochs in probe.read_at} | {steps}
    between = {max(1, round(share * steps)) for share in probe.at} - read
    seconds = _LOAD + passes(spec, cell.count) * (prompt + answer) / speed.trained
    seconds += (len(between) * few + len(read) * whole) / speed.asked
    if spec.labels == "soft":
        seconds += _LOAD + _FORWARD * cell.count * (prompt + answer) / speed.trained
    if cell.rows not in written:
        written.add(cell.rows)
        seconds += cell.count * answer / speed.written
    return seconds


def taught(teacher: Teacher) -> float:
    """Return the tokens that a teacher's own training reads."""
    if isinstance(teacher.instil, FineTune):
        return teacher.instil.steps * _LESSONS * _LESSON
    # Its answers share their questions' computation: an answer counts as a few tokens.
    return teacher.instil.steps * _ASCENT * _LESSON / 8 if isinstance(teacher.instil, GradientAscent) else 0.0


def passes(spec: How, rows: int) -> float:
    """Return how many rows the whole training reads."""
    epochs = spec.epochs * rows
    return epochs if spec.most_steps is None else spec.most_steps * spec.batch


def _made_of(cell: Kept) -> str | None:
    """Return the model of a writer that was asked."""
    return cell.definition["writer"]["model"] if cell.definition["kind"] == "writer" else None


def _rate(cells: Sequence[Kept], tokens: Callable[[Mapping[str, Any]], float], seconds: str) -> float:
    took = sum(each.facts["seconds"].get(seconds, 0.0) for each in cells)
    return sum(tokens(each.facts) for each in cells) / took if took else 0.0


def _lengths(cells: Sequence[Kept]) -> dict[str, tuple[float, float]]:
    """Return the mean lengths of the rows of some cells, by the kind of their domain."""
    found: dict[str, list[tuple[float, float]]] = {}
    for each in cells:
        rows = each.definition.get("rows", {})
        rows = rows.get("mix", [rows])[0]  # rows of two teachers are of one domain
        kind = rows.get("pool", {}).get("domain", {}).get("kind")
        if kind is not None:
            tokens = each.facts["tokens"]
            found.setdefault(kind, []).append((tokens["prompt"], tokens["answer"]))
    return {
        kind: (sum(prompt for prompt, _ in some) / len(some), sum(answer for _, answer in some) / len(some))
        for kind, some in found.items()
    }
