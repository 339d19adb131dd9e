"""The memory and the operations of a scan, an audit or a mitigation, from a model's config and a dataset's size.

    forecast_scan(size_of("hf/Qwen/Qwen2.5-7B-Instruct"), Rows(10_000, 1_000, 256, 110.0, 40.0), recipe)

Nothing of the weights is read. Bytes are those of the largest moment; docs/scale.md has them beside measured ones.
Operations are reckoned as two for each weight and token forwards, and four more backwards.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from undertow.config.recipes.spec import RecipeSpec
from undertow.config.recipes.steps import steps_for
from undertow.data.sample import Chosen
from undertow.models.memory import logits_per_token, tokens_within
from undertow.models.size import ModelSize
from undertow.models.storage import LARGE
from undertow.probes.panel import QUESTIONS, spread, trait_names
from undertow.training.recipe import TOKENS_AT_ONCE
from undertow.traits.panel import Panel

LIBRARIES: Final = 560 * 1024**2
"""Bytes of Python, torch, transformers, a tokenizer and the processor's kernels."""
_SIDE: Final = 32
"""Random directions on each side of a matrix, see `undertow.attribution.capture`."""
_NARROW: Final = 0.6
"""Of the bytes that a pass keeps in float32, what it keeps where products run in bf16: norms stay wide."""
_KEPT: Final = 0.8
_LOGITS: Final = 4.3
"""Of a training's micro-batch: what it keeps, of float32 bytes, with the gaps between; and tables of logits."""
_SLACK: Final = 1.25
"""Freed memory is kept for the next pass, and passes of other lengths leave gaps in it."""
_COMPARED: Final = 28
"""Bytes for each number of the embedding. By the measured audits of three models; answers and logits take less."""


@dataclass(frozen=True)
class Rows:
    """What is known of a dataset."""

    read: int
    measured: int
    """Those whose gradients are computed."""
    taught: int
    """Those that a virtual student learns from; 0 for none."""
    prompt: float
    """Tokens of a prompt, on average."""
    answer: float
    """Tokens of an answer, on average."""

    @property
    def tokens(self) -> float:
        """Of a row."""
        return self.prompt + self.answer


@dataclass(frozen=True)
class Asked:
    """What a panel takes."""

    traits: int
    questions: int
    tokens: float
    """Of a question with all its candidates, on average."""


@dataclass(frozen=True)
class Part:
    """Something that takes memory."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Forecast:
    """What a verb will take."""

    verb: Literal["scan", "audit", "mitigate"]
    parts: tuple[Part, ...]
    """Of the largest moment."""
    operations: float
    """Floating-point operations."""

    @property
    def bytes(self) -> int:
        """At the largest moment."""
        return sum(part.bytes for part in self.parts)


_TEMPLATE: Final = 30
"""Tokens that a chat template puts around a turn, and a usual system prompt."""
_LETTERS: Final = 4.0
"""Letters of a token of words. Digits and marks are tokens of their own in the models that are common today."""


def asked_by(panel: Panel) -> Asked:
    """Return what a panel takes; tokens are a quarter of the characters."""
    chosen = [entry.probe[at] for entry in panel for at in spread(entry.probe, QUESTIONS)]
    letters = sum(len(choice.question) + sum(map(len, choice.options)) for choice in chosen)
    return Asked(len(trait_names(panel)), len(chosen), letters / 4 / len(chosen) + _TEMPLATE)


def rows_of(chosen: Chosen, measured: int, taught: int) -> Rows:
    """Return what rows take, from the characters of a sample of them; no tokenizer is read.

    Args:
        chosen: The sample.
        measured: Rows whose gradients are computed.
        taught: Rows that a virtual student learns from.
    """
    asked = [sum(_tokens_in(turn["content"]) for turn in placed.row.prompt) for placed in chosen.rows]
    answered = [_tokens_in(placed.row.completion) for placed in chosen.rows]
    count = max(len(chosen.rows), 1)
    return Rows(chosen.read, measured, taught, sum(asked) / count + _TEMPLATE, sum(answered) / count)


def _tokens_in(text: str) -> float:
    words = sum(each.isalpha() or each.isspace() for each in text)
    return words / _LETTERS + len(text) - words


def in_words(made: Forecast, what: str = "") -> str:
    """Say what work takes.

    Args:
        made: The forecast.
        what: Who says it; the verb's own plan when empty.
    """
    largest = max(made.parts, key=lambda part: part.bytes)
    return (
        f"{what or f'`undertow plan {made.verb}` foretells'} {gib(made.bytes)}, of which the {largest.name} take "
        f"{gib(largest.bytes)}."
    )


def gib(count: int) -> str:
    """Write a number of bytes in GiB."""
    return f"{count / 2**30:.1f} GiB"


def item_of(size: ModelSize, *, frozen: bool) -> int:
    """Return the bytes of a weight in memory: as it is stored where it is frozen and the model large, else float32."""
    return size.stored_bytes if frozen and 4 * size.parameters >= LARGE else 4


def forecast_scan(
    size: ModelSize, rows: Rows, asked: Asked, recipe: RecipeSpec, *, students: int = 1, half: bool | None = None
) -> Forecast:
    """Return what a scan takes.

    Args:
        size: The base's.
        rows: The dataset.
        asked: The panel.
        recipe: Of the student that is predicted.
        students: Virtual students, one after the other.
        half: Products run in bf16; by the processor or GPU of this machine when absent.
    """
    item = item_of(size, frozen=recipe.adapter is not None)
    held = size.parameters * item
    parts = [Part("libraries", LIBRARIES), Part("weights", held), *_narrowed(size, item, half=half)]
    if rows.taught:
        parts += _trained(size, recipe)
    parts.append(_activations(size, held, half=half))
    if _narrow(half):
        # Those of the output projection hold a copy of it, for each of a few lengths; see `precision.KERNELS`.
        parts.append(Part("kernels for lengths of rows", 3 * 2 * size.width * size.vocabulary))
    gradient = size.norms + _SIDE**2 * len(size.linear)
    # The directions of all traits, and as much again while they are stored.
    parts.append(Part("directions of the traits", 2 * 4 * asked.traits * gradient))
    back, forth = 6 * size.active, 2 * size.active
    panel = asked.questions * asked.tokens
    passes = panel * (back + forth) + rows.measured * rows.tokens * back
    taught = students * (rows.taught * rows.tokens * back + panel * forth)
    return Forecast("scan", tuple(parts), passes + taught)


def forecast_audit(size: ModelSize, asked: Asked, *, controls: int = 1) -> Forecast:
    """Return what an audit takes: base and student are in memory together, and one control.

    Args:
        size: The base's; the student has the same.
        asked: The panel.
        controls: Students that are compared with it.
    """
    item = item_of(size, frozen=True)
    held = size.parameters * item
    models = 2 + min(controls, 1)
    parts = (
        Part("libraries", LIBRARIES),
        Part(f"weights of {models} models", models * held),
        # The largest matrix: its differences and squares, some in float64, while weights are compared.
        Part("copies of the embedding in comparisons", _COMPARED * size.width * size.vocabulary),
    )
    operations = (2 + controls) * asked.questions * asked.tokens * 2 * size.active
    return Forecast("audit", parts, operations)


def forecast_mitigate(
    size: ModelSize, rows: Rows, asked: Asked, recipe: RecipeSpec, *, students: int = 2, half: bool | None = None
) -> Forecast:
    """Return what training with and without a mitigation takes.

    Args:
        size: The base's.
        rows: The dataset.
        asked: The panel.
        recipe: Of the students.
        students: Trained one after the other.
        half: Products run in bf16; by the processor or GPU of this machine when absent.
    """
    item = item_of(size, frozen=recipe.adapter is not None)
    held = size.parameters * item
    batch = recipe.batch * rows.tokens
    together = min(batch, recipe.micro_batch * rows.tokens if recipe.micro_batch else TOKENS_AT_ONCE)
    predicted = together * rows.answer / max(rows.tokens, 1.0)
    trained = _trained(size, recipe)
    forwards = [
        Part("activations of a micro-batch", int(together * (_KEPT if _narrow(half) else 1.0) * 4 * size.kept)),
        Part("logits of a micro-batch", int(predicted * _LOGITS * 4 * size.vocabulary)),
    ]
    if recipe.adapter is None and together >= batch:
        # Gradients of the step before are gone then, and that of the output projection comes first.
        forwards.append(Part("gradient of the output projection", 6 * size.width * size.vocabulary))
        forwards += [part for part in trained if part.name.startswith("moments")]
    else:
        forwards += trained
    parts = [
        Part("libraries", LIBRARIES),
        Part("weights", held),
        *_narrowed(size, item, half=half),
        *max(forwards, trained, key=lambda moment: sum(part.bytes for part in moment)),
    ]
    steps = steps_for(recipe, max(rows.read, 1))
    learned = steps * recipe.batch * rows.tokens * (4 if recipe.adapter else 6) * size.active
    asking = 2 * asked.questions * asked.tokens * 2 * size.active
    return Forecast("mitigate", tuple(parts), students * (learned + asking))


def _trained(size: ModelSize, recipe: RecipeSpec) -> list[Part]:
    weights = size.parameters if recipe.adapter is None else adapter_weights(size, recipe.adapter.rank)
    moments = 2 if recipe.optimiser == "adamw" else 1 if recipe.momentum else 0
    found = [] if recipe.adapter is None else [Part("adapter", 4 * weights)]
    found.append(Part("gradients", 4 * weights))
    if recipe.adapter is None:
        # Those of the output projection, in bf16 and float32, and of the embedding, before they are added up.
        found.append(Part("gradients of the embedding under way", 14 * size.width * size.vocabulary))
    return [*found, Part("moments of the optimiser", 4 * weights * moments)] if moments else found


def adapter_weights(size: ModelSize, rank: int) -> int:
    """Return the weights of a low-rank adapter on every linear matrix of the layers."""
    return sum(rank * (inputs + outputs) for inputs, outputs in size.linear)


def _narrow(half: bool | None) -> bool:
    from undertow.models.precision import choose_precision

    return choose_precision().autocast if half is None else half


def _narrowed(size: ModelSize, item: int, *, half: bool | None) -> list[Part]:
    """Return what a pass in bf16 keeps of float32 weights until its gradients are computed."""
    if item != 4 or not _narrow(half):
        return []
    return [
        Part("copies of the weights in bf16", 2 * (size.parameters - size.embeddings + size.width * size.vocabulary))
    ]


def _per_token(size: ModelSize, *, half: bool | None) -> float:
    return (_NARROW if _narrow(half) else 1.0) * 4 * size.kept + logits_per_token(size.vocabulary)


def _activations(size: ModelSize, held: int, *, half: bool | None) -> Part:
    tokens = tokens_within(4 * size.kept, size.vocabulary, held)
    return Part("activations", int(_SLACK * tokens * _per_token(size, half=half)))


@dataclass(frozen=True)
class Room:
    """Memory that is free."""

    bytes: int
    where: str


def available() -> Room:
    """Return the free memory of the GPU where there is one, else of this machine."""
    import torch

    if torch.cuda.is_available():
        return Room(int(torch.cuda.mem_get_info()[0]), "GPU memory that is free")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Room(free, "memory that is free")
