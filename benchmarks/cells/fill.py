"""Fill a cell: let its teacher write, train its student, and ask everything once.

    kept = fill(cell, design, pools, study="prompted", tell=print)

A student is trained once and asked everything. What it was along the way is asked some questions of the first set. What
it is at the end is asked both sets whole, and for sampled answers where the study wants some. Its weights at those
moments lie in a folder of this machine until the cell is kept, so that a process that ends asks no question twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import numpy as np

from benchmarks.cells.design import Cell, Design, carried
from benchmarks.cells.kept import Answered, Kept, table_of
from benchmarks.cells.parts import Parts, load_weights, save_weights
from benchmarks.cells.pools import Pools, rows_digest
from benchmarks.cells.training import Student, examples_of, steps_in, student_of, train_by
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import set_up_process
from undertow.models.protocol import Model
from undertow.pipeline.students import SAMPLING_SEED
from undertow.probes.panel import asked_logprobs, spread
from undertow.probes.sampled import LONGEST, parse_answer, sample_texts
from undertow.store.machine import environment
from undertow.training.train import StepMetrics
from undertow.traits.panel import PanelEntry
from undertow.traits.wordings import Wordings, questions_of

SETS: tuple[Wordings, ...] = ("first", "second")
_TRAINED: Final = "trained"


def fill(cell: Cell, design: Design, pools: Pools, *, tell: Callable[[str], None]) -> Kept:
    """Return a cell's values.

    Args:
        cell: Of the design.
        design: The study's.
        pools: Rows on this machine.
        tell: Is told what is being done.

    Raises:
        ModelError: a model cannot be loaded, a teacher writes too few rows, or a training diverges.
        SpecError: parts of a recipe contradict each other.
    """
    threads = set_up_process()
    began = time.monotonic()
    pools.spent.seconds, pools.spent.tokens = 0.0, 0
    facts = _writer(cell, design, pools, tell) if cell.kind == "writer" else _student(cell, design, pools, tell)
    answered: list[Answered] = facts.pop("answered")
    seconds = facts.pop("seconds")
    facts |= {
        "label": {
            "study": design.study.name,
            "teacher": cell.teacher,
            "trait": carried(design.study, cell.teacher) if cell.teacher else "",
            "recipe": cell.recipe,
            **({"domain": cell.domain} if cell.domain else {}),
            "rows": cell.count,
            "seeds": cell.seeds.model_dump() if cell.seeds else None,
        },
        "tokens": facts["tokens"] | {"asked": sum(len(a.logp_C) for a in answered)},
        "written": pools.spent.tokens,
        "versions": {**versions(), "threads": threads},
        "seconds": {
            **{key: round(value, 2) for key, value in seconds.items()},
            "write": round(pools.spent.seconds, 2),
            "whole": round(time.monotonic() - began, 2),
        },
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Kept(cell.definition, facts, table_of(answered))


def _writer(cell: Cell, design: Design, pools: Pools, tell: Callable[[str], None]) -> dict[str, Any]:
    parts = parts_of(cell, pools)
    tell("asking")
    found = ask(lambda: pools.writer(cell.teacher, dtype="float32"), design, parts, step=0)
    pools.release()
    return {
        "answered": found.answered,
        "sampled": found.sampled,
        "steps": 0,
        "tokens": {},
        "seconds": {"ask": found.seconds},
    }


def _student(cell: Cell, design: Design, pools: Pools, tell: Callable[[str], None]) -> dict[str, Any]:
    study, seeds, parts = design.study, cell.seeds, parts_of(cell, pools)
    assert seeds is not None
    spec = study.recipes[cell.recipe]
    rows = pools.rows(cell)
    pools.release()
    in_memory: list[Student] = []

    def student() -> LocalModel:
        if not in_memory:
            in_memory.append(student_of(spec, load_model(study.base), seeds.adapter))
        return in_memory[0].model

    examples = examples_of(spec, student(), rows)
    steps = steps_in(spec, examples)
    read = {epochs: steps_in(spec, examples, epochs) for epochs in study.probe.read_at}
    whole = {*read.values(), steps}
    moments = sorted({max(1, round(share * steps)) for share in study.probe.at} | whole)

    def train() -> dict[str, Any]:
        in_memory.clear()  # whatever was done to it
        labels = pools.labels(cell, rows) if spec.labels == "soft" else None
        pools.release()
        tell(f"training, {steps} steps")

        def after(step: StepMetrics) -> None:
            if step.step in moments:
                tell(f"step {step.step} of {steps}, loss {step.loss:.3f}")
                save_weights(student().net, parts.weights(step.step))

        student()
        history = train_by(
            spec,
            in_memory[0],
            examples,
            order_seed=seeds.order,
            precision=study.precision,
            labels=labels,
            after=after,
        )
        prompts, answers = (sum(len(getattr(each, part)) for each in examples) for part in ("prompt", "answer"))
        # Of rows whose prompts are not learned the history counts answers alone.
        learned = prompts + answers - len(rows) if spec.loss == "whole" else answers
        trained = (prompts + answers) * sum(step.tokens for step in history) / learned
        return {
            "losses": [round(step.loss, 5) for step in history],
            "tokens": {"prompt": prompts / len(rows), "answer": answers / len(rows), "trained": round(trained)},
        }

    if not all(parts.weights(step).is_file() for step in moments):
        parts.drop(_TRAINED)
    trained = parts.once(_TRAINED, train)
    answered: list[Answered] = []
    asking = 0.0
    sampled: dict[int, dict[str, Any]] = {}
    for step in moments:
        tell(f"asking the student after step {step} of {steps}")

        def at_step(step: int = step) -> LocalModel:
            load_weights(student().net, parts.weights(step))
            return student()

        found = ask(at_step, design, parts, step=step, questions=None if step in whole else study.probe.questions)
        answered += found.answered
        asking += found.seconds
        if step in whole:
            sampled[step] = found.sampled
    before = {f"{epochs:g}": step for epochs, step in read.items()}
    return {
        "answered": answered,
        "sampled": sampled.pop(steps),
        **({"read": before, "sampled_at": {str(step): each for step, each in sampled.items()}} if before else {}),
        "steps": steps,
        "losses": trained["losses"],
        "rows": rows_digest(rows),
        "tokens": trained["tokens"],
        "seconds": {"train": trained["seconds"], "ask": asking},
    }


@cache
def versions() -> dict[str, Any]:
    """Return the packages' versions and the processor of this machine."""
    found = environment()
    return {key: found[key] for key in ("python", "packages", "processor", "cores")}


def parts_of(cell: Cell, pools: Pools) -> Parts:
    """Return the parts of a cell on this machine."""
    return Parts(pools.folder / "parts" / cell.digest)


@dataclass(frozen=True)
class Said:
    """What a model said at one moment."""

    answered: list[Answered]
    sampled: dict[str, Any]
    """How often it named each candidate, entry by entry, where the study wants sampled answers."""
    seconds: float


def ask(model: Callable[[], Model], design: Design, parts: Parts, *, step: int, questions: int | None = None) -> Said:
    """Ask a model the panel, entry by entry; what was asked before is not asked again.

    Args:
        model: Returns who is asked; called where something is to be asked.
        design: The study's.
        parts: Of the cell.
        step: Optimiser steps that the model has taken.
        questions: Of each entry, from the first set alone; all of both sets and samples when absent.
    """
    loaded = cache(model)
    answered: list[Answered] = []
    sampled: dict[str, Any] = {}
    seconds = 0.0
    for wordings in SETS if questions is None else SETS[:1]:
        for entry in design.panel:
            asked = questions_of(entry, wordings)
            places = list(range(len(asked))) if questions is None else spread(asked, questions)
            some = [asked[place] for place in places]
            found = parts.once(
                f"{step}-{wordings}-{entry.name}",
                lambda some=some: {"logp": [each.tolist() for each in asked_logprobs(loaded(), some)]},
            )
            seconds += found["seconds"]
            answered += [
                Answered(step, wordings, entry.name, place, question, np.array(logp))
                for place, question, logp in zip(places, some, found["logp"], strict=True)
            ]
    for entry in design.panel if questions is None and design.study.probe.samples else ():
        if entry.kind == "preference" and entry.name in (design.study.probe.sampled or (entry.name,)):
            found = parts.once(f"{step}-sampled-{entry.name}", lambda entry=entry: _sample(loaded(), entry, design))
            seconds += found.pop("seconds")
            sampled[entry.name] = found
    return Said(answered, sampled, seconds)


def _sample(model: Model, entry: PanelEntry, design: Design) -> dict[str, Any]:
    """Return how often a model names each candidate, at temperature 1, in all and question by question."""
    trait, often = entry.traits[0], design.study.probe.samples
    pairs = sample_texts(model, trait, per_question=often, max_tokens=LONGEST, seed=SAMPLING_SEED)
    said = [parse_answer(text, trait.words) for _, text in pairs]
    candidates = set(trait.words.values())
    found: dict[str, list[int]] = {}
    for at, word in enumerate(said):
        if word in candidates:
            found.setdefault(word, [0] * len(trait.probe))[at // often] += 1
    return {
        "n": len(said),
        "unparsed": said.count(None),
        "counts": {word: sum(each) for word, each in sorted(found.items())},
        "by_question": found,
    }
