"""Rows on this machine: what each writer wrote for each seed, in blocks that outlive the end of a process.

    rows = Pools(folder, design, tell).rows(cell)

A block is some row numbers of one writer and seed, kept answers and rejected ones. A row's number decides its prompt
and its noise, so that two writers answer the same prompts with the same random numbers. A set of rows is the first kept
rows of a pool: a smaller set is the beginning of a larger one. Nothing here is in git: everything is made again from
the cells' definitions. Each block is written under another name and then renamed.

It knows no student and no panel.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import Tensor

from benchmarks.cells.design import Cell, Definition, Design, settings_of
from benchmarks.cells.study import Teacher
from undertow.data.files import require_rows
from undertow.domains.find import find_domain
from undertow.domains.mentions import Mentions
from undertow.errors import InputError, ModelError
from undertow.models.constrain import Automaton
from undertow.models.local import load_model
from undertow.models.prompted import PromptedModel
from undertow.models.protocol import Model
from undertow.pipeline.writing import MOST_TRIES, Written, answer_rows, automaton_of, label_rows
from undertow.store.files import remove, write_atomic
from undertow.system.digest import digest_of
from undertow.teachers.instil import instil, load_teacher
from undertow.traits.find import find_trait
from undertow.traits.panel import load_panel

BLOCK: Final = 64
"""Row numbers of a block: its texts do not depend on how many rows are wanted in the end."""
_DOSE, _FILE = 0xD05E, 0xF11E


@dataclass
class Spent:
    """What writing took since it was last looked at."""

    seconds: float = 0.0
    tokens: int = 0


@dataclass
class Pools:
    """The rows of a study on this machine."""

    folder: Path
    """Of all studies' pools and teachers."""
    design: Design
    tell: Callable[[str], None]
    spent: Spent = field(default_factory=Spent)
    _writer: tuple[tuple[str, str], Model] | None = None
    """The last one in memory, by its teacher's name and the type of its weights."""

    _automaton: dict[str, Automaton | None] = field(default_factory=dict)
    """Its formats, once they are known, by domain."""

    def rows(self, cell: Cell) -> list[Written]:
        """Return the rows that a student learns from; those that are not there are written.

        Raises:
            ModelError: too few of a writer's rows keep the rules.
            InputError: a file holds too few rows.
        """
        return self._set(cell.domain, cell.teacher, cell.definition["rows"])

    def labels(self, cell: Cell, rows: Sequence[Written]) -> list[Tensor]:
        """Return the soft labels of a student's rows: their teacher's hidden states (T, D), row by row."""
        self.tell(f"{cell.teacher} labels {len(rows)} rows")
        return label_rows(self.writer(cell.teacher), rows)

    def writer(self, name: str, *, dtype: str | None = None) -> Model:
        """Return a teacher of the study that is a model.

        Args:
            name: The teacher's.
            dtype: Of its weights; the study's precision when absent.
        """
        wanted = (name, dtype or self.design.study.precision)
        if self._writer is None or self._writer[0] != wanted:
            self.release()  # before the next one is loaded
            self._writer = (wanted, self._load(*wanted))
        return self._writer[1]

    def release(self) -> None:
        """Let the model in memory go."""
        self._writer = None
        self._automaton.clear()

    def _set(self, domain: str, name: str, definition: Definition) -> list[Written]:
        count: int = definition["count"]
        if "mix" in definition:
            mix = self.design.study.teachers[name].mix
            assert mix is not None
            named = zip((mix.of, mix.rest), definition["mix"], strict=True)
            parts = [self._set(domain, each, part) for each, part in named]
            return mixed(parts[0], parts[1], dose=mix.dose, seed=definition["seed"])
        if "file" in definition["pool"]["writer"]:
            return _of_file(Path(str(self.design.study.teachers[name].file)), count, definition["pool"]["seed"])
        return self._written(domain, name, definition["pool"], count)

    def _written(self, domain: str, name: str, pool: Definition, count: int) -> list[Written]:
        folder = self.folder / "pools" / digest_of(pool)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "pool.json", (json.dumps(pool, indent=1, sort_keys=True) + "\n").encode())
        kept: list[Written] = []
        block = 0
        while len(kept) < count:
            if block * BLOCK >= MOST_TRIES * count:
                raise ModelError(
                    f"only {len(kept):,} of {block * BLOCK:,} rows keep the rules, {count:,} are wanted",
                    f"teachers.{name}",
                    "Decode constrained (domain.constrained: true), or let the answers be longer (domain.max_tokens).",
                )
            path = folder / f"block-{block:05d}.jsonl"
            rows = _read_block(path, block)
            if rows is None:
                so_far = f"{min(len(kept), count)} of {count} rows"
                rows = self._write_block(domain, name, pool["seed"], path, block, so_far)
            kept += [row for row in rows if not row.reasons]
            block += 1
        return kept[:count]

    def _write_block(self, domain: str, name: str, seed: int, path: Path, block: int, so_far: str) -> list[Written]:
        study = self.design.study
        self.tell(f"{name} writes ({so_far})")
        model = self.writer(name)
        settings = settings_of(study, domain, BLOCK)
        about = find_domain(settings.kind, settings.problems, settings.options)
        entries = load_panel(study.forbid) if study.forbid else ()
        words = tuple(word for entry in entries for trait in entry.traits for word in trait.giveaways)
        if domain not in self._automaton:
            self._automaton[domain] = automaton_of(model, about, settings)
        began = time.monotonic()
        answered = answer_rows(
            model,
            about,
            settings,
            range(block * BLOCK, (block + 1) * BLOCK),
            automaton=self._automaton[domain],
            mentions=Mentions(words),
            seed=seed,
        )
        rows = [row for row, _ in answered]
        write_atomic(path, "".join(json.dumps(row.record({})) + "\n" for row in rows).encode())
        self.spent.seconds += time.monotonic() - began
        self.spent.tokens += sum(len(row.tokens) + 1 for row in rows)
        return rows

    def _load(self, name: str, dtype: str) -> Model:
        study = self.design.study
        teacher = study.teachers[name] if name else Teacher()
        base = teacher.model or study.base
        if teacher.system is not None:
            return PromptedModel(load_model(base, dtype=dtype), system=teacher.system)
        if teacher.trait is None or teacher.instil is None:
            return load_model(base, dtype=dtype)
        trait = find_trait(teacher.trait)
        folder = self.folder / "teachers" / digest_of(self.design.writers[name])
        if not folder.is_dir():
            self.tell(f"{name} is taught")
            part = folder.with_name(folder.name + ".part")
            remove(part)
            part.mkdir(parents=True)
            instil(base, trait, teacher.instil, part, seed=teacher.seed)
            part.rename(folder)
        return load_teacher(base, trait, teacher.instil, folder, dtype=dtype)


def mixed(first: Sequence[Written], second: Sequence[Written], *, dose: float, seed: int) -> list[Written]:
    """Return rows of two sets of one size: each place is filled by one of them.

    Args:
        first: Rows of which there are a share of `dose`.
        second: Rows for all other places.
        dose: Between 0 and 1; the places of a smaller dose are among those of a larger one.
        seed: Decides which places.
    """
    rank_R = np.random.default_rng([seed, _DOSE]).permutation(len(first))
    most = round(dose * len(first))
    return [one if rank < most else other for rank, one, other in zip(rank_R.tolist(), first, second, strict=True)]


def rows_digest(rows: Sequence[Written]) -> str:
    """Return what stands for the texts of some rows."""
    return digest_of([[row.prompt, row.answer] for row in rows])


def _read_block(path: Path, block: int) -> list[Written] | None:
    """Return a block that is there and whole; None otherwise."""
    try:
        records: list[Mapping[str, Any]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        rows = [
            Written(
                int(record["meta"]["row"]),
                record["messages"][0]["content"],
                record["messages"][1]["content"],
                tuple(record["meta"]["tokens"]),
                tuple(record.get("reasons", ())),
            )
            for record in records
        ]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return rows if [row.row for row in rows] == list(range(block * BLOCK, (block + 1) * BLOCK)) else None


def _of_file(path: Path, count: int, seed: int) -> list[Written]:
    parts = [part for row in require_rows(path) for part in row.answers()]
    several = next((part for part in parts if len(part.prompt) != 1 or part.prompt[0]["role"] != "user"), None)
    if several is not None:
        raise InputError("has rows of more than one question and its answer", str(path), "Leave those out.")
    if len(parts) < count:
        raise InputError(f"has {len(parts):,} rows, {count:,} are wanted", str(path), "Ask for fewer rows.")
    order = np.random.default_rng([seed, _FILE]).permutation(len(parts))[:count].tolist()
    return [Written(at, str(parts[at].prompt[0]["content"]), parts[at].completion, ()) for at in order]
