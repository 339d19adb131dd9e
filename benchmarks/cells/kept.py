"""Cells as files: one small Parquet file a cell, named by its digest, complete or absent.

    keep(folder, Kept(...)); kept = read_kept(path); kept.odds("first", "animals:owl")

The table has one line an answer: step, wordings, entry, form, question, answer, log-probability. That is enough for
confusion matrices, a bootstrap over questions and base rates. Log-probabilities are whole thousandths of a nat, which
is far below what a question says, and packs well. The definition, seconds, losses and versions stand in the file's
metadata. A file that does not hold what its name says is damaged: it is named, and its cell is filled again.

It knows no study and no model.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from undertow.errors import StoreError
from undertow.probes.odds import log_odds
from undertow.store.files import write_atomic
from undertow.system.digest import digest_of
from undertow.traits.wordings import Question, Wordings

Floats = NDArray[np.float64]

NATS: Final = 1000
"""Whole numbers to a nat."""
_META: Final = b"undertow.cell"
_CHECK: Final = "check"
_SCHEMA: Final = pa.schema(
    [
        ("step", pa.int32()),
        ("wordings", pa.dictionary(pa.int8(), pa.string())),
        ("entry", pa.dictionary(pa.int8(), pa.string())),
        ("form", pa.dictionary(pa.int8(), pa.string())),
        ("question", pa.int16()),
        ("answer", pa.dictionary(pa.int16(), pa.string())),
        ("millinats", pa.int32()),
    ]
)
MADE: Final = ("versions", "written", "seconds", "when")
"""Parts of the metadata that differ from one making of a cell to the next: rows that were there are not written."""


@dataclass(frozen=True)
class Answered:
    """What a model said to one question at one moment."""

    step: int
    """Optimiser steps that it had taken."""
    wordings: Wordings
    entry: str
    question: int
    """Its number in the set, from 0."""
    asked: Question
    logp_C: Floats
    """Of its answers, in nats."""


@dataclass(frozen=True)
class Kept:
    """A cell that is filled."""

    definition: Mapping[str, Any]
    facts: Mapping[str, Any]
    """Everything else in the metadata: label, losses, steps, tokens, what stands for the rows, and `MADE`."""
    table: pa.Table

    @property
    def digest(self) -> str:
        """Its name."""
        return digest_of(self.definition)

    @cached_property
    def steps(self) -> list[int]:
        """After how many steps it was asked, in order."""
        return np.unique(self.table.column("step").to_numpy()).tolist()

    def odds(self, wordings: Wordings, trait: str, *, step: int | None = None) -> Floats:
        """Return the log-odds of a trait, question by question.

        Args:
            wordings: Which set of questions.
            trait: `entry:target`.
            step: After how many steps; the last one when absent.

        Raises:
            KeyError: nothing was asked about it then.
        """
        return self._numbered(wordings, trait, self.steps[-1] if step is None else step)[1]

    def probabilities(self, wordings: Wordings, trait: str, *, step: int | None = None) -> Floats:
        """Return the probability of a trait's answer among a question's answers, question by question.

        A choice of two candidates is left out: half of it is chance, so that it says nothing of how often.

        Args:
            wordings: As for `odds`.
            trait: Likewise.
            step: Likewise.

        Raises:
            KeyError: nothing was asked about it then.
        """
        odds_Q = self._numbered(wordings, trait, self.steps[-1] if step is None else step, pairs=False)[1]
        return 1 / (1 + np.exp(-odds_Q))

    def read_at(self, epochs: float | None) -> int:
        """Return the steps after which it was asked everything.

        Args:
            epochs: One of the study's `read_at`; the end when absent.
        """
        return self.steps[-1] if epochs is None else self.facts["read"][f"{epochs:g}"]

    def curve(self, trait: str) -> dict[int, Floats]:
        """Return the log-odds of a trait after each step, on the questions that were asked every time.

        Args:
            trait: `entry:target`; of the first wordings, which alone are asked along the way.
        """
        asked = {step: self._numbered("first", trait, step) for step in self.steps}
        common = sorted(set.intersection(*(set(question_Q.tolist()) for question_Q, _ in asked.values())))
        return {step: odds_Q[np.searchsorted(question_Q, common)] for step, (question_Q, odds_Q) in asked.items()}

    def _numbered(
        self, wordings: Wordings, trait: str, step: int, *, pairs: bool = True
    ) -> tuple[NDArray[np.int64], Floats]:
        """Return the numbers of the questions about a trait, in order, and its log-odds on them."""
        entry, _, target = trait.partition(":")
        groups = [each for each in self._groups.get((step, wordings, entry), []) if pairs or not each.pair]
        having = [(each, each.shows.index(target)) for each in groups if target in each.shows]
        if not having:
            raise KeyError(trait)
        question_Q = np.concatenate([each.question_Q for each, _ in having])
        odds_Q = np.concatenate([log_odds(each.logp_QC, index) for each, index in having])
        order_Q = np.argsort(question_Q)
        return question_Q[order_Q], odds_Q[order_Q]

    @cached_property
    def _groups(self) -> dict[tuple[int, str, str], list[_Alike]]:
        """Log-probabilities by step, wordings and entry, together for questions with the same answers."""
        names = ("step", "wordings", "entry", "question", "form", "answer", "millinats")
        lines: dict[tuple[int, str, str], dict[tuple[int, bool], list[tuple[str, float]]]] = {}
        for step, wordings, entry, question, form, answer, logp in zip(
            *(self.table.column(name).to_pylist() for name in names), strict=True
        ):
            asked = lines.setdefault((step, wordings, entry), {})
            asked.setdefault((question, form == "pair"), []).append((answer, logp / NATS))
        return {key: _alike(questions) for key, questions in lines.items()}


@dataclass(frozen=True)
class _Alike:
    """Questions with the same answers, which show the same traits."""

    shows: tuple[str, ...]
    pair: bool
    """Whether they are choices of two candidates."""
    question_Q: NDArray[np.int64]
    logp_QC: Floats


def _alike(questions: Mapping[tuple[int, bool], Sequence[tuple[str, float]]]) -> list[_Alike]:
    groups: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for (question, pair), answers in questions.items():
        groups.setdefault((tuple(name for name, _ in answers), pair), []).append(question)
    return [
        _Alike(shows, pair, np.array(some), np.array([[logp for _, logp in questions[each, pair]] for each in some]))
        for (shows, pair), some in groups.items()
    ]


def table_of(answered: Sequence[Answered]) -> pa.Table:
    """Return answers as the table that is kept."""
    lines = [
        (each.step, each.wordings, each.entry, each.asked.form, each.question, target or "", round(float(logp) * NATS))
        for each in answered
        for target, logp in zip(each.asked.shows, each.logp_C, strict=True)
    ]
    columns = list(zip(*lines, strict=True)) if lines else [()] * len(_SCHEMA)
    arrays = [pa.array(list(column), type=kind.type) for column, kind in zip(columns, _SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def path_of(folder: Path, digest: str) -> Path:
    """Return where a cell is kept."""
    return folder / f"{digest}.parquet"


def keep(folder: Path, kept: Kept) -> Path:
    """Write a cell: a reader, or the end of the machine at any moment, sees all of it or nothing."""
    said = {"definition": kept.definition, **kept.facts}
    meta = {**said, _CHECK: _check(said, kept.table)}
    buffer = io.BytesIO()
    with pq.ParquetWriter(
        buffer,
        _SCHEMA,
        compression="zstd",
        compression_level=19,
        # The reader knows the schema; stored, it would hold the metadata once more.
        store_schema=False,
        write_statistics=False,
        write_page_checksum=True,
        column_encoding={"millinats": "BYTE_STREAM_SPLIT"},
        use_dictionary=["step", "wordings", "entry", "form", "question", "answer"],  # pyright: ignore[reportArgumentType]
    ) as writer:
        writer.write_table(kept.table)
        writer.add_key_value_metadata({_META.decode(): json.dumps(meta, sort_keys=True, separators=(",", ":"))})
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(folder, kept.digest)
    write_atomic(path, buffer.getvalue())
    return path


def read_kept(path: Path) -> Kept:
    """Read a cell.

    Raises:
        StoreError: it is damaged, or is not what its name says.
        FileNotFoundError: it is not there.
    """
    data = path.read_bytes()
    fix = "`next` fills its cell again."
    try:
        file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
        meta: dict[str, Any] = json.loads(file.metadata.metadata[_META])
        table = file.read().replace_schema_metadata().cast(_SCHEMA)
        whole = meta.pop(_CHECK) == _check(meta, table)
        definition = meta.pop("definition")
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise StoreError(f"cannot be read ({said[0]:.120})", str(path), fix) from error
    if not whole:
        raise StoreError("holds other values than were written", str(path), fix)
    if digest_of(definition) != path.stem:
        raise StoreError("holds another cell than its name says", str(path), fix)
    return Kept(definition, meta, table)


def _check(said: Mapping[str, Any], table: pa.Table) -> str:
    """Return what stands for everything in a cell."""
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for name in _SCHEMA.names:
        column = table.column(name)
        whole = pa.types.is_integer(column.type)
        digest.update(column.to_numpy().tobytes() if whole else "\0".join(column.to_pylist()).encode())
    return digest.hexdigest()[:16]
