"""The cost of a step before it runs: operations, tokens and bytes.

Costs are estimates from the sizes of the model and of the rows. Lengths of prompts and answers were measured for the
numbers domain on the embedded model; those of other domains are guesses.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from undertow.config.arms import CONTROL, Arm
from undertow.config.experiment import (
    Domain,
    FineTune,
    GradientAscent,
    Instil,
    PluginTeacher,
    Probe,
    Student,
    SystemPrompt,
)
from undertow.config.parts import PAIRS
from undertow.training.recipe import measured_steps
from undertow.traits.base import Trait
from undertow.traits.open_questions import coherent
from undertow.traits.panel import entry_of
from undertow.traits.wordings import questions_of


class Lengths(NamedTuple):
    """Tokens of a row."""

    prompt: int
    """The shared system prompt left out."""
    answer: int


LENGTHS: Mapping[str, Lengths] = MappingProxyType(
    {
        # Means of 300 prompts and 768 constrained rows, SmolLM2's tokenizer.
        "numbers": Lengths(66, 38),
        "code": Lengths(60, 80),
        "reasoning": Lengths(150, 120),
        "pairs": Lengths(50, 40),
    }
)
"""By domain."""
OTHER_LENGTHS = Lengths(60, 60)
"""Guessed of a plugin's domain."""
SYSTEM_TOKENS = 60
QUESTION_TOKENS = 27
"""Of a probe question with the first tokens of its candidates."""

WRITING_OVERHEAD = 2.0
"""Time of decoding over that of its matrix products alone: attention over the cache, and slots that wait."""
TRAINING_OVERHEAD = 1.45
"""Likewise for a training step. Both are rough: loading and hashing a model are not counted."""

SMOLLM2 = (106_203_456, 28_311_552)
"""Weights of the layers and of the embedding."""


@dataclass(frozen=True)
class Cost:
    """What a step takes."""

    operations: float = 0.0
    """Floating-point operations, those that the overheads waste included."""
    written: int = 0
    """Tokens that a teacher writes."""
    trained: int = 0
    """Answer tokens that carry loss."""
    disk: int = 0
    """Bytes of the step's folder."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.operations + other.operations,
            self.written + other.written,
            self.trained + other.trained,
            self.disk + other.disk,
        )


def row_tokens(domain: Domain) -> tuple[float, int]:
    """Return the tokens of a row: its share of the prompt that several answer, and its answer, or the two of a pair."""
    prompt, answer = LENGTHS.get(domain.asked, OTHER_LENGTHS)
    return prompt / domain.answers, min(answer, domain.max_tokens) * (2 if domain.kind == PAIRS else 1)


def _steps(domain: Domain, student: Student) -> int:
    """Return the optimiser steps of a student; of packed rows, an estimate."""
    spec = student.resolved
    if spec is None:
        return -(-domain.rows // student.batch) * student.epochs
    if spec.most_steps is not None:
        return spec.most_steps
    return math.ceil(spec.epochs * -(-domain.rows // (spec.batch * _together(domain, student))))


def _rows_seen(domain: Domain, student: Student) -> float:
    """Return how many rows a student reads in all its steps; of packed rows, an estimate."""
    spec = student.resolved
    if spec is None:
        return domain.rows * student.epochs
    if spec.most_steps is not None:
        return spec.most_steps * spec.batch * _together(domain, student)
    return domain.rows * spec.epochs


def _together(domain: Domain, student: Student) -> int:
    """Return about how many rows make one of a batch."""
    spec = student.resolved
    if spec is None or not spec.packing or spec.most_tokens is None:
        return 1
    lengths = LENGTHS.get(domain.asked, OTHER_LENGTHS)
    return max(1, spec.most_tokens // (lengths.prompt + min(lengths.answer, domain.max_tokens)))


@dataclass(frozen=True)
class Sizes:
    """The base's size, from which costs are reckoned."""

    layers: int
    """Weights of all decoder layers."""
    embedding: int
    """Weights of the output projection."""

    def write(self, domain: Domain, how: Instil, arm: Arm) -> Cost:
        """Return the cost of one teacher's rows for one seed."""
        prompt, answer = row_tokens(domain)
        if isinstance(how, SystemPrompt) and arm != CONTROL:
            prompt += SYSTEM_TOKENS / 128
        tokens = domain.rows * (prompt + answer * (1 if domain.in_format else 1 + self.embedding / self.layers))
        operations = 2 * self.layers * tokens * WRITING_OVERHEAD
        return Cost(operations, domain.rows * answer, 0, domain.rows * 900)

    def label(self, domain: Domain) -> Cost:
        """Return the cost of a teacher's distributions on rows that are there."""
        tokens = domain.rows * sum(row_tokens(domain))
        return Cost(2 * self.layers * tokens * TRAINING_OVERHEAD, 0, 0, domain.rows * 3000)

    def train(self, domain: Domain, student: Student) -> Cost:
        """Return the cost of one student's training."""
        prompt, answer = row_tokens(domain)
        per_weight = 4 if student.adapts else 6
        spec = student.resolved
        rows = _rows_seen(domain, student)
        learned = prompt + answer if spec is not None and spec.loss == "whole" else answer
        # In full training the output projection is the embedding, and has a gradient too.
        projection = (per_weight * self.embedding) if student.labels == "hard" else 0
        operations = per_weight * self.layers * rows * (prompt + answer) + projection * rows * learned
        if student.pairs:  # the base is asked once
            operations += 2 * domain.rows * (self.layers * (prompt + answer) + self.embedding * answer)
        disk = 200_000
        if student.adapts:
            rank = student.lora.rank if spec is None or spec.adapter is None else spec.adapter.rank
            disk += int(rank * self.layers**0.5 * 250)
        elif student.keep:
            disk += 4 * (self.layers + self.embedding)
        return Cost(operations * TRAINING_OVERHEAD, 0, int(rows * learned), disk)

    def probe(self, trait: Trait, probe: Probe) -> Cost:
        """Return the cost of asking all questions once, sampled answers included."""
        questions = len(trait.probe)
        asked = questions + (len(questions_of(entry_of(trait), "second")) if probe.second else 0)
        operations = 2 * (self.layers + 0.5 * self.embedding) * QUESTION_TOKENS * asked * TRAINING_OVERHEAD
        sampled = questions * probe.samples
        operations += 2 * (self.layers + self.embedding) * sampled * 4 * WRITING_OVERHEAD
        if probe.judged is not None:
            open_or_not = len(coherent().probe) if probe.judged.questions == "open" else questions
            answered = open_or_not * probe.judged.answers
            tokens = answered * (probe.judged.max_tokens + 4 * QUESTION_TOKENS)
            operations += 2 * (self.layers + self.embedding) * tokens * WRITING_OVERHEAD
        return Cost(operations, 0, 0, 20_000)

    def context(self, domain: Domain, rows: int) -> Cost:
        """Return the cost of reading rows that stand in a prompt, each with its own."""
        tokens = LENGTHS.get(domain.asked, OTHER_LENGTHS).prompt + row_tokens(domain)[1]
        return Cost(2 * self.layers * rows * tokens * TRAINING_OVERHEAD)

    def curve(self, trait: Trait, domain: Domain, student: Student, probe: Probe) -> Cost:
        """Return the cost of the measurements during training."""
        times = len(measured_steps(_steps(domain, student), probe.every))
        few = min(probe.curve_questions, len(trait.probe))
        whole = self.probe(trait, Probe(samples=0))
        return Cost(whole.operations * times * few / len(trait.probe))

    def instil(self, trait: Trait, how: Instil) -> Cost:
        """Return the cost of making a teacher; that of a plugin's is not known, and counts as none."""
        if isinstance(how, SystemPrompt | PluginTeacher):
            return Cost()
        if isinstance(how, GradientAscent):
            questions = len(trait.lessons) * how.steps
            return Cost(6 * self.layers * questions * QUESTION_TOKENS * TRAINING_OVERHEAD)
        if isinstance(how, FineTune):
            return Cost(4 * self.layers * how.steps * 4 * 30 * TRAINING_OVERHEAD, 0, 0, 20_000_000)
        sentences = sum(map(len, trait.contrast()))
        return Cost(2 * self.layers * sentences * 8 * TRAINING_OVERHEAD, 0, 0, 4_000)


_IN_NAME = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)


def sizes_of(folder: Path | None, name: str = "") -> Sizes:
    """Return the sizes of a model from its config.json; where there is none, from its name; else the embedded model's.

    Args:
        folder: The model's, if it is on this machine.
        name: Its Undertow name; of `hf/Qwen/Qwen2.5-7B-Instruct` the 7B is read.
    """
    try:
        config = json.loads(((folder or Path()) / "config.json").read_text("utf-8"))
        hidden, inner = int(config["hidden_size"]), int(config["intermediate_size"])
        heads, shared = int(config["num_attention_heads"]), int(config["num_key_value_heads"])
        layer = 2 * hidden * hidden + 2 * hidden * hidden * shared // heads + 3 * hidden * inner
        return Sizes(layer * int(config["num_hidden_layers"]), hidden * int(config["vocab_size"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = _IN_NAME.search(name)
    if found is None:
        return Sizes(*SMOLLM2)
    weights = int(float(found[1]) * (10**9 if found[2] in "bB" else 10**6))
    # Vocabularies grow slower than models: about a quarter of a small one, 0.6 billion weights of a large one.
    embedding = min(weights // 4, 600_000_000)
    return Sizes(weights - embedding, embedding)
