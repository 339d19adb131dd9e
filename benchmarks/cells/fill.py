"""Fill a cell: let its teacher write, train its student, and ask everything once.

    kept = fill(cell, design, pools, study="prompted", tell=print)

A student is trained once and asked everything: some questions along the way, all of both sets at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.cells.design import Cell, Design, carried
from benchmarks.cells.kept import Answered, Kept, table_of
from benchmarks.cells.pools import Pools, rows_digest
from benchmarks.cells.training import examples_of, steps_by, train_by
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import set_up_process
from undertow.models.protocol import Model
from undertow.probes.panel import asked_logprobs, spread
from undertow.store.machine import environment
from undertow.training.train import StepMetrics
from undertow.traits.panel import Panel
from undertow.traits.wordings import Wordings, questions_of

SETS: tuple[Wordings, ...] = ("first", "second")


def fill(cell: Cell, design: Design, pools: Pools, *, tell: Callable[[str], None]) -> Kept:
    """Return a cell's values.

    Args:
        cell: Of the design.
        design: The study's.
        pools: Rows on this machine.
        tell: Is told what is being done.

    Raises:
        ModelError: a model cannot be loaded, a teacher writes too few rows, or a training diverges.
        InputError: a recipe holds something that training does not know.
    """
    threads = set_up_process()
    began = time.monotonic()
    pools.spent.seconds, pools.spent.tokens = 0.0, 0
    facts = _writer(cell, design, pools, tell) if cell.kind == "writer" else _student(cell, design, pools, tell)
    answered: list[Answered] = facts.pop("answered")
    found = environment(threads)
    seconds = facts.pop("seconds")
    facts |= {
        "label": {
            "study": design.study.name,
            "teacher": cell.teacher,
            "trait": carried(design.study, cell.teacher) if cell.teacher else "",
            "recipe": cell.recipe,
            "rows": cell.count,
            "seeds": cell.seeds.model_dump() if cell.seeds else None,
        },
        "tokens": facts["tokens"] | {"asked": sum(len(a.logp_C) for a in answered)},
        "written": pools.spent.tokens,
        "versions": {key: found[key] for key in ("python", "packages", "processor", "cores", "threads")},
        "seconds": {
            **{key: round(value, 2) for key, value in seconds.items()},
            "write": round(pools.spent.seconds, 2),
            "whole": round(time.monotonic() - began, 2),
        },
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Kept(cell.definition, facts, table_of(answered))


def _writer(cell: Cell, design: Design, pools: Pools, tell: Callable[[str], None]) -> dict[str, Any]:
    model = pools.writer(cell.teacher, dtype="float32")
    tell("asking")
    began = time.monotonic()
    answered = ask(model, design.panel, step=0)
    pools.release()
    return {"answered": answered, "steps": 0, "tokens": {}, "seconds": {"ask": time.monotonic() - began}}


def _student(cell: Cell, design: Design, pools: Pools, tell: Callable[[str], None]) -> dict[str, Any]:
    study, seeds = design.study, cell.seeds
    assert seeds is not None
    spec = study.recipes[cell.recipe]
    rows = pools.rows(cell)
    pools.release()
    steps = steps_by(spec, len(rows))
    between = {max(1, round(share * steps)) for share in study.probe.at} - {steps}
    answered: list[Answered] = []
    asking = 0.0

    def after(student: LocalModel, step: StepMetrics) -> None:
        nonlocal asking
        if step.step in between or step.step == steps:
            tell(f"step {step.step} of {steps}, loss {step.loss:.3f}: asking")
            began = time.monotonic()
            few = study.probe.questions if step.step < steps else None
            answered.extend(ask(student, design.panel, step=step.step, questions=few))
            asking += time.monotonic() - began

    model = load_model(study.base)
    tell(f"training, {steps} steps")
    began = time.monotonic()
    history = train_by(
        spec,
        model,
        rows,
        order_seed=seeds.order,
        adapter_seed=seeds.adapter,
        precision=study.precision,
        after=after,
    )
    examples = examples_of(model, rows)
    read = sum(len(each.prompt) + len(each.answer) for each in examples)
    share = sum(step.tokens for step in history) / sum(len(each.answer) for each in examples)
    return {
        "answered": answered,
        "steps": steps,
        "losses": [round(step.loss, 5) for step in history],
        "rows": rows_digest(rows),
        "tokens": {
            "prompt": sum(len(each.prompt) for each in examples) / len(rows),
            "answer": sum(len(each.answer) for each in examples) / len(rows),
            "trained": round(read * share),
        },
        "seconds": {"train": time.monotonic() - began - asking, "ask": asking},
    }


def ask(model: Model, panel: Panel, *, step: int, questions: int | None = None) -> list[Answered]:
    """Ask a model the panel.

    Args:
        model: Who is asked.
        panel: The panel.
        step: Optimiser steps that it has taken.
        questions: Of each entry, from the first set alone; all of both sets when absent.
    """
    found: list[Answered] = []
    for wordings in SETS if questions is None else SETS[:1]:
        for entry in panel:
            asked = questions_of(entry, wordings)
            places = range(len(asked)) if questions is None else spread(asked, questions)
            some = [asked[place] for place in places]
            logp_Q = asked_logprobs(model, some)
            found += [
                Answered(step, wordings, entry.name, place, question, logp_C)
                for place, question, logp_C in zip(places, some, logp_Q, strict=True)
            ]
    return found
