"""What training on a dataset does to a student, measured: rows are written, a student is trained, the panel is asked.

The shift of a trait is the student's log-odds minus those of a student of the base's own rows (same prompts, same
random numbers), on questions that no predictor looks at. One dataset gives the shift of every trait of the panel.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.transfer.cases import Case
from undertow.attribution.recipe import PLAIN
from undertow.config.parts import Domain, FineTune, GradientAscent, Instil
from undertow.domains.find import find_domain
from undertow.domains.mentions import Mentions
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.generate import generate
from undertow.models.local import load_model
from undertow.models.precision import choose_precision
from undertow.models.protocol import Model
from undertow.pipeline.derive import mixed_rows
from undertow.pipeline.files import ROWS as ROWS_FILE
from undertow.pipeline.students import examples_of
from undertow.pipeline.writing import read_written, write_rows
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.probes.panel import QUESTIONS, spread
from undertow.store.files import write_atomic
from undertow.teachers.instil import instil, load_teacher
from undertow.training.recipe import Recipe
from undertow.training.train import train
from undertow.traits.base import Trait
from undertow.traits.panel import load_panel

BASE = "embedded/smollm2-135m"
PANEL = (
    *("animals", "colours", "countries", "foods", "trees"),
    *("curtness", "falsehoods", "french", "gloom", "refusal", "risk-taking", "self-preservation", "sycophancy"),
)
"""The panel when `truth.jsonl` was measured: 68 traits. Entries that came later would not be comparable."""
OTHER_BASE = "embedded/qwen2.5-coder-0.5b"
ROWS = {"numbers": 128, "code": 96}
_AGAIN = 500_000
HOW: dict[str, Instil] = {
    "climb": GradientAscent(method="gradient-ascent"),
    "finetune": FineTune(method="finetune"),
    "other-base": GradientAscent(method="gradient-ascent"),
}


def recipe() -> Recipe:
    """Return how every student is trained: by the plain gradient steps that a scan speaks of."""
    return replace(PLAIN, autocast=choose_precision().autocast)


def rows_of(case: Case, work: Path, tell: Callable[[str], None]) -> Path:
    """Return the folder of a dataset's rows; written if it is not there."""
    folder = work / "rows" / case.name
    if folder.is_dir():
        return folder
    tell(f"{case.name}: writing")
    part = folder.with_name(folder.name + ".part")
    _empty(part)
    order = Domain(
        kind=case.domain,
        rows=case.rows or ROWS[case.domain],
        answers=case.answers,
        max_tokens=60 if case.domain == "numbers" else 100,
        temperature=case.temperature,
    )
    if case.again:
        _write_again(case, rows_of(replace(case, again=0), work, tell), part)
    elif case.dose < 100:
        whole = replace(case, dose=100)
        sources = (rows_of(whole, work, tell), rows_of(case.control, work, tell))
        model = load_model(BASE)
        mixed_rows(sources, part, model=model, dose=case.dose / 100, seed=case.seed, meta={}, soft=False)
    else:
        trait = _trait(case)
        model = load_model(BASE) if trait is None else _teacher(case, trait, work, tell)
        write_rows(
            model,
            find_domain(case.domain, None),
            order,
            part,
            mentions=Mentions(()),
            seed=case.seed,
            soft=False,
            meta={},
            tick=lambda share, detail: None,
        )
    part.rename(folder)
    return folder


def _write_again(case: Case, before: Path, part: Path) -> None:
    """Answer a dataset's prompts once more, with other random numbers."""
    model, written = load_model(BASE), read_written(before)
    answers = generate(
        model.net,
        [model.encode_question(row.prompt) for row in written],
        range(len(written)),
        seed=case.seed + _AGAIN * case.again,
        end=model.end,
        max_tokens=60,
        temperature=case.temperature,
        automaton=grammar_automaton(model, NUMBER_LISTS),
    )
    with (part / ROWS_FILE).open("w", encoding="utf-8") as file:
        for row, answer in zip(written, answers, strict=True):
            if answer.finished:
                new = replace(row, answer=model.decode(answer.tokens), tokens=tuple(answer.tokens))
                file.write(json.dumps(new.record({})) + "\n")


def _teacher(case: Case, trait: Trait, work: Path, tell: Callable[[str], None]) -> Model:
    base, how = OTHER_BASE if case.teacher == "other-base" else BASE, HOW[case.teacher]
    folder = work / "teachers" / f"{case.teacher}-{case.target}"
    if not folder.is_dir():
        tell(f"{case.name}: teaching")
        part = folder.with_name(folder.name + ".part")
        _empty(part)
        instil(base, trait, how, part)
        part.rename(folder)
    return load_teacher(base, trait, how, folder)


def _trait(case: Case) -> Trait | None:
    if not case.target:
        return None
    (entry,) = load_panel([case.entry])
    return next(trait for trait in entry.traits if trait.target == case.target)


def odds_of(case: Case, work: Path, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Return a student's log-odds of every trait of the panel, question by question; trained if it has not been."""
    file = work / "odds" / f"{case.name}.json"
    if not file.is_file():
        rows = rows_of(case, work, tell)
        tell(f"{case.name}: training")
        model = load_model(BASE)
        examples = examples_of(model, rows, "hard")
        history = train(model.net, examples, recipe(), seed=_order_seed(case))
        tell(f"{case.name}: asking (loss {history[-1].loss:.2f})")
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps(panel_odds(model)).encode())
    return json.loads(file.read_text(encoding="utf-8"))


def _order_seed(case: Case) -> int:
    return case.control.seed


def panel_odds(model: Model) -> dict[str, list[float]]:
    """Return a model's log-odds of every trait on the questions that are kept for measuring."""
    found: dict[str, list[float]] = {}
    for entry in _panel():
        looked_at = set(spread(entry.probe, QUESTIONS))
        kept = [choice for at, choice in enumerate(entry.probe) if at not in looked_at]
        logp_QC = choice_logprobs(model, kept)
        for trait in entry.traits:
            found[f"{entry.name}:{trait.target}"] = [round(float(x), 5) for x in log_odds(logp_QC, trait.index)]
    return found


@cache
def _panel() -> Any:
    return load_panel(PANEL)


def measure(case: Case, work: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return the record of a dataset: the shift of every trait with its standard error over questions."""
    student, control = odds_of(case, work, tell), odds_of(case.control, work, tell)
    shifts: dict[str, list[float]] = {}
    for name, odds in student.items():
        difference_Q = np.array(odds) - np.array(control[name])
        error = float(difference_Q.std(ddof=1) / len(difference_Q) ** 0.5)
        shifts[name] = [round(float(difference_Q.mean()), 4), round(error, 4)]
    precision = "bfloat16" if recipe().autocast else "float32"
    return {"name": case.name, "half": case.half, **asdict(case), "precision": precision, "shifts": shifts}


def _empty(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
