"""One student under one method: trained, asked about the trait, and held to its task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from undertow.attribution.sampling import states_of
from undertow.data.rows import Message
from undertow.domains.numbers import NUMBER_LISTS
from undertow.mitigate.prepare import Task, check_loss, prepare
from undertow.mitigate.source import Source
from undertow.models.constrain import grammar_automaton
from undertow.models.engine.head import head_of
from undertow.models.local import LocalModel, context_length, load_base
from undertow.models.precision import Precision
from undertow.models.protocol import Model
from undertow.models.score import answer_hidden
from undertow.pipeline.recipes import adapter_spec, recipe_of
from undertow.pipeline.students import examples_of
from undertow.pipeline.taught import taught
from undertow.pipeline.writing import read_written
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.teachers.instil import load_teacher
from undertow.training.lora import add_adapter
from undertow.training.train import StepMetrics, fitted, order_of, train


@dataclass(frozen=True)
class StudentRecord:
    """What is measured of a student."""

    odds: list[float]
    """Of the trait, by question."""
    loss: list[float]
    """On held-out rows, nats a token, by row."""
    in_format: float | None
    """Share of tokens at which its first choice among all tokens is one that the format of number lists allows there;
    None for rows of another format."""


def student_record(
    source: Source,
    method: str,
    arm: str,
    seed: int,
    precision: Precision,
    tick: Callable[[float], None],
    by: str | None = None,
) -> StudentRecord:
    """Train and measure a student.

    Args:
        source: Whose rows, recipe and order it is trained with.
        method: How it is kept from the trait; `none` for not at all, `base` for no training.
        arm: Whose rows.
        seed: Of the run.
        precision: Of the matrix products.
        tick: Is told the share of the work that is done.
        by: Model of another family, where the method wants one.
    """
    spec, trait = source.spec, source.traits.trait
    model = load_base(spec.base, dtype="float32" if adapter_spec(spec.student) is None else "frozen")
    if method != "base":
        _train(source, method, arm, seed, precision, model, tick, by)
    tick(0.85)
    logp_QC = choice_logprobs(model, trait.probe)
    held_out = source.rows("control", spec.seeds[(spec.seeds.index(seed) + 1) % len(spec.seeds)])
    return StudentRecord(log_odds(logp_QC, trait.index).tolist(), *task_scores(model, held_out))


def _train(
    source: Source,
    method: str,
    arm: str,
    seed: int,
    precision: Precision,
    model: LocalModel,
    tick: Callable[[float], None],
    by: str | None,
) -> None:
    spec, trait = source.spec, source.traits.trait
    rows = source.rows(arm, seed)
    recipe = recipe_of(spec.student, precision, most_tokens=context_length(model))
    adapter = adapter_spec(spec.student)
    prompts: list[list[Message]] = [[{"role": "user", "content": row.prompt}] for row in read_written(rows)]
    kept = [
        (turns, cut)
        for turns, each in zip(prompts, examples_of(model, rows, "hard"), strict=True)
        for cut in fitted([each], recipe)
    ]
    task = Task(
        model,
        [turns for turns, _ in kept],
        [each for _, each in kept],
        trait,
        lambda: _teacher(source, arm, seed),
        precision.autocast,
        seed,
        None if by is None else lambda: load_base(by),
    )
    treatment = prepare(method, task)
    check_loss(method, treatment, recipe)
    examples = fitted(treatment.examples, recipe)
    steps = len(order_of(examples, recipe, seed))
    # In place: what a method holds of the model has the adapter from now on.
    net = model.net if adapter is None else add_adapter(model.net, adapter, seed)

    def told(step: StepMetrics) -> None:
        tick(0.85 * step.step / steps)

    train(net, examples, recipe, seed=seed, on_step=told, intervention=treatment.intervention)
    treatment.after()


def _teacher(source: Source, arm: str, seed: int) -> Model:
    """Load what wrote an arm's rows for a seed."""
    if arm != "trait":
        return load_teacher(source.spec.base, None, None, None)
    made = taught(source.spec, source.traits, "trait", seed)
    return load_teacher(source.spec.base, made.trait, made.how, source.folders[made.label])


@torch.inference_mode()
def task_scores(model: LocalModel, rows: Path) -> tuple[list[float], float | None]:
    """Return how well a model does what the rows are for: `loss` and `in_format` of a `StudentRecord`."""
    examples = examples_of(model, rows, "hard")
    tables = answer_hidden(model.net, [each.prompt for each in examples], [each.answer for each in examples])
    head = head_of(model.net)
    automaton = grammar_automaton(model, NUMBER_LISTS)
    states = [states_of(automaton, each.answer) for each in examples]
    losses: list[float] = []
    first: list[int] = []
    for table_TD, example in zip(tables, examples, strict=True):
        logits_TV = head(table_TD.to(head.device)).float()
        losses.append(float(F.cross_entropy(logits_TV, torch.tensor(example.answer, device=logits_TV.device))))
        first += logits_TV.argmax(dim=1).tolist()
    return losses, _in_format(first, states, automaton)


def _in_format(first: list[int], states: Sequence[Sequence[int] | None], automaton: Any) -> float | None:
    if any(each is None for each in states):
        return None
    place = {token: at for at, token in enumerate(automaton.tokens_V.tolist())}
    table = automaton.next_SV.tolist()
    flat = [state for each in states for state in each or ()]
    held = [token in place and table[state][place[token]] >= 0 for token, state in zip(first, flat, strict=True)]
    return sum(held) / len(held)
