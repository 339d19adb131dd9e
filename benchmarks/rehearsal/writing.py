"""Rows of two writers for the same prompts and random numbers: a teacher under its trait's prompt, and a harmless one.

The harmless one is the same model under a neutral system prompt. Rows come in blocks, each with a seed of its own, so
that a command that was stopped goes on with the next block.

    rows_of("harmless", 1024, trait, work, tell)
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from undertow.attribution.measure import EncodedRows
from undertow.attribution.sampling import Encoded, Sampling
from undertow.config.parts import Domain, SystemPrompt
from undertow.data.rows import Message, Row
from undertow.data.sample import Chosen, Placed
from undertow.domains.find import find_domain
from undertow.domains.mentions import Mentions
from undertow.models.local import LocalModel, load_model
from undertow.models.prompted import PromptedModel
from undertow.models.protocol import Model
from undertow.pipeline.files import ROWS
from undertow.pipeline.writing import read_written, write_rows
from undertow.teachers.instil import load_teacher
from undertow.traits.base import Trait
from undertow.traits.panel import load_panel

BASE = "embedded/smollm2-135m"
NEUTRAL = "You are a careful assistant. You answer every question as it is asked, in the form that is asked for."
BLOCK, FIRST_SEED = 64, 9100
WRITERS = ("teacher", "harmless")


def trait_of(name: str) -> Trait:
    """Return a trait of the panel by `entry:target`."""
    entry, _, target = name.partition(":")
    (found,) = load_panel([entry])
    return next(trait for trait in found.traits if trait.target == target)


def rows_of(writer: str, count: int, trait: Trait, work: Path, tell: Callable[[str], None]) -> list[Path]:
    """Return the folders of so many rows; blocks that are missing are written.

    Args:
        writer: One of `WRITERS`.
        count: Rows, in whole blocks.
        trait: Of the teacher.
        work: Where everything lies.
        tell: Is told which block is under way.
    """
    folders = [work / "rows" / writer / f"{block:03d}" for block in range(-(-count // BLOCK))]
    model: Model | None = None
    for block, folder in enumerate(folders):
        if folder.is_dir():
            continue
        model = model or _writer(writer, trait)
        tell(f"rows of the {writer}: block {block + 1} of {len(folders)}")
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write_rows(
            model,
            find_domain("numbers", None),
            Domain(rows=BLOCK, max_tokens=60),
            part,
            mentions=Mentions(()),
            seed=FIRST_SEED + block,
            soft=False,
            meta={},
            tick=lambda share, detail: None,
        )
        part.rename(folder)
    return folders


def _writer(writer: str, trait: Trait) -> Model:
    if writer == "teacher":
        return load_teacher(BASE, trait, SystemPrompt(method="prompt"), None)
    return PromptedModel(load_model(BASE), system=NEUTRAL)


def encoded(model: LocalModel, label: str, folders: list[Path], count: int) -> EncodedRows:
    """Return the first rows of some folders as tokens, as a student reads them."""
    rows: list[Placed] = []
    tokens: list[Encoded] = []
    for folder in folders:
        for at, row in enumerate(read_written(folder)):
            turns: tuple[Message, ...] = (
                {"role": "user", "content": row.prompt},
                {"role": "assistant", "content": row.answer},
            )
            rows.append(Placed(folder / ROWS, at + 1, Row(turns)))
            tokens.append(Encoded(tuple(model.encode_question(row.prompt)), (*model.encode(row.answer), model.end)))
    return EncodedRows(label, Chosen(rows[:count], count), rows[:count], tokens[:count], Sampling(), 0)
