"""A student is the base after training on the rows of one arm and seed. This module trains and measures it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from undertow.config.experiment import Probe, Student
from undertow.data.rows import Message
from undertow.errors import ModelError
from undertow.models.engine.head import head_of
from undertow.models.local import LocalModel, context_length, load_adapter, load_base, state_hash
from undertow.models.precision import Precision
from undertow.models.prompted import PromptedModel
from undertow.models.protocol import Model
from undertow.pipeline.files import LABELS, METRICS, SCORES
from undertow.pipeline.judging import judge_answers, judge_openly
from undertow.pipeline.recipes import adapter_spec, recipe_of
from undertow.pipeline.writing import load_labels, read_written
from undertow.probes.choice import choice_logprobs
from undertow.probes.hidden import question_states, shift_sums
from undertow.probes.panel import second_log_odds
from undertow.probes.sampled import sample_answers
from undertow.store.jsonl import append_jsonl
from undertow.training.lora import add_adapter, check_bits, save_adapter
from undertow.training.pairs import with_reference
from undertow.training.recipe import measured_steps
from undertow.training.train import Example, StepMetrics, fitted, order_of, train
from undertow.traits.base import Trait

SAMPLING_SEED = 20250720
"""Keys the noise of sampled answers: every model is asked with the same random numbers."""


def examples_of(model: LocalModel, rows: Path, labels: str) -> list[Example]:
    """Read the rows that a teacher wrote as training examples.

    Hard labels are the text, tokenised by the student, as if it came from an API; soft labels belong to the tokens that
    the teacher sampled.
    """
    written = read_written(rows)
    encoded = [tuple(model.encode_question(row.prompt)) for row in written]
    if labels == "hard":
        return [
            Example(
                prompt,
                (*model.encode(row.answer), model.end),
                rejected=() if row.rejected is None else (*model.encode(row.rejected), model.end),
            )
            for prompt, row in zip(encoded, written, strict=True)
        ]
    return [
        Example(prompt, (*row.tokens, model.end), table)
        for prompt, row, table in zip(encoded, written, load_labels(rows / LABELS), strict=True)
    ]


def train_student(
    base: str,
    rows: Path,
    student: Student,
    probe: Probe,
    trait: Trait,
    folder: Path,
    *,
    seed: int,
    precision: Precision,
    beside: Callable[[], Model] | None = None,
    tick: Callable[[float, str], None],
) -> None:
    """Train and measure a student, and write metrics, scores and adapters into a folder.

    Args:
        base: The base's Undertow name.
        rows: The folder of its arm's rows.
        student: The recipe.
        probe: When and what to measure.
        trait: Gives the questions.
        folder: Receives `metrics.jsonl`, `scores.json`, and `adapter/` (LoRA) or `model/` (if weights are kept).
        seed: Fixes the order of the rows, the initial adapters and dropout.
        precision: Of the matrix products.
        beside: Loads the teacher whose shift of hidden states the student's is compared with; None for no comparison.
        tick: Is told the share of the work that is done.
    """
    adapter = adapter_spec(student)
    if adapter is not None:
        check_bits(adapter)
    model = load_base(base, dtype="float32" if adapter is None else "frozen")
    questions = [each.question for each in trait.probe]
    # Before training, which changes the base's own weights where it is full.
    before = None if beside is None else (question_states(model, questions), question_states(beside(), questions))
    recipe = recipe_of(student, precision, most_tokens=context_length(model))
    examples = fitted(examples_of(model, rows, student.labels), recipe)
    # Every teacher shares the base's head, which full training changes.
    teacher = head_of(model.net).kept() if student.labels == "soft" else None
    if recipe.loss == "dpo":
        tick(0.0, "asking the base about the pairs")
        examples = with_reference(model.net, examples, recipe)
    net = model.net if adapter is None else add_adapter(model.net, adapter, seed)
    trained = replace(model, net=net)
    initial = state_hash((name, each) for name, each in net.named_parameters() if each.requires_grad)
    steps = len(order_of(examples, recipe, seed))
    curve: list[dict[str, Any]] = []
    metrics: list[dict[str, Any]] = []
    between = set(measured_steps(steps, probe.every))

    def after(step: StepMetrics) -> None:
        metrics.append(asdict(step))
        tick(step.step / steps, f"step {step.step:,} of {steps:,}, loss {step.loss:.3f}")
        if step.step in between:
            logp_QC = choice_logprobs(trained, trait.probe[: probe.curve_questions])
            curve.append({"step": step.step, "logp_QC": logp_QC.tolist()})

    train(net, examples, recipe, seed=seed, teacher=teacher, on_step=after)
    append_jsonl(folder / METRICS, metrics)
    scores = measure(base, trained, trait, probe) | {"steps": steps, "initial_state": initial, "curve": curve}
    if before is not None:
        scores["hidden"] = asdict(shift_sums(*before, question_states(trained, questions)))
    (folder / SCORES).write_text(json.dumps(scores) + "\n", encoding="utf-8")
    if adapter is not None:
        save_adapter(net, folder / "adapter")
    elif student.keep:
        net.save_pretrained(folder / "model", safe_serialization=True)
        model.tokenizer.save_pretrained(folder / "model")


def load_student(base: str, folder: Path, student: Student, *, dtype: str) -> Model:
    """Load a student that `train_student` has stored, to teach in its turn.

    Args:
        base: The base's Undertow name.
        folder: Where its step put it.
        student: How it was trained.
        dtype: Of the weights.

    Raises:
        ModelError: it cannot be loaded.
    """
    if student.adapts:
        return load_adapter(load_base(base, dtype=dtype), folder / "adapter")
    return replace(load_base(f"hf/{folder / 'model'}", dtype=dtype), made_of=base)


def ask_in_context(base: str, rows: Path, count: int, trait: Trait, probe: Probe) -> dict[str, Any]:
    """Measure the base with the first rows as earlier turns of the conversation.

    Args:
        base: The base's Undertow name.
        rows: The folder of the rows.
        count: How many of them, at most.
        trait: Gives the questions.
        probe: What to measure.

    Raises:
        ModelError: they are longer than the model's context.
    """
    model = load_base(base)
    before = [
        message
        for row in read_written(rows)[:count]
        for message in (
            Message(role="user", content=row.prompt),
            Message(role="assistant", content=row.answer),
        )
    ]
    reader = PromptedModel(model, before=tuple(before))
    longest, room = max(len(reader.encode_question(each.question)) for each in trait.probe), context_length(model)
    if longest >= room:
        raise ModelError(
            f"{count} rows and a question make {longest:,} tokens, and the model reads {room:,}",
            "context_rows",
            "Put fewer rows into the prompt.",
        )
    return measure(base, reader, trait, probe) | {"curve": [], "steps": 0, "initial_state": ""}


def measure(base: str, model: Model, trait: Trait, probe: Probe) -> dict[str, Any]:
    """Ask a model everything: `logp_QC` and, if the spec wants them, second wordings, counted and judged answers.

    Args:
        base: The base's Undertow name; it is the judge where the spec names none.
        model: Who is asked.
        trait: Gives the questions.
        probe: What to ask.
    """
    scores: dict[str, Any] = {"logp_QC": choice_logprobs(model, trait.probe).tolist()}
    if probe.samples:
        sampled = sample_answers(model, trait, per_question=probe.samples, seed=SAMPLING_SEED)
        scores["sampled"] = asdict(sampled)
    if probe.second:
        scores["second"] = second_log_odds(model, trait).tolist()
    if probe.judged is not None and probe.judged.questions == "open":
        scores["open"] = asdict(judge_openly(base, model, probe.judged, seed=SAMPLING_SEED))
    elif probe.judged is not None:
        scores["judged"] = asdict(judge_answers(base, model, trait, probe.judged, seed=SAMPLING_SEED))
    return scores
