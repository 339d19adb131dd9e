"""Rows made of other rows, for arms without a teacher of their own.

Each function reads folders that `write_rows` filled and writes one with the same files. A row keeps its number and its
prompt, so the arms of a seed stay comparable row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from undertow.errors import ModelError
from undertow.models.protocol import Model
from undertow.pipeline.files import LABELS, REJECTED, ROWS
from undertow.pipeline.writing import Written, label_rows, load_labels, read_written, save_labels, write_pieces
from undertow.store.jsonl import append_jsonl

_SHUFFLE, _DOSE = 0x5F1E, 0xD05E


def rewrite_rows(
    source: Path,
    rewrite: Callable[[str, np.random.Generator], str],
    folder: Path,
    *,
    seed: int,
    meta: dict[str, Any],
    model: Model,
    soft: bool,
) -> None:
    """Write the rows of another folder with every answer changed: shuffled, or paraphrased; of pairs both answers.

    Args:
        source: A folder that `write_rows` filled.
        rewrite: The domain's `shuffle` or `paraphrase`; every row has its own random numbers.
        folder: Receives the same files.
        seed: Keys the random numbers.
        meta: Stored with every row.
        model: The teacher, which labels the new answers, for soft labels.
        soft: Store the teacher's distributions.
    """
    rewritten: list[Written] = []
    for written in read_written(source):
        rng = np.random.default_rng([seed, written.row, _SHUFFLE])
        text = rewrite(written.answer, rng)
        changed = Written(written.row, written.prompt, text, tuple(model.encode(text)))
        if written.rejected is not None:
            worse = rewrite(written.rejected, rng)
            changed = replace(
                changed, rejected=worse, rejected_tokens=tuple(model.encode(worse)), margin=written.margin
            )
        rewritten.append(changed)
    _write(folder, model, rewritten, meta, label_rows(model, rewritten) if soft else None)


def reorder_pairs(source: Path, folder: Path, *, seed: int, meta: dict[str, Any], model: Model) -> None:
    """Write the pairs of another folder with their two answers in a random order: a coin says which is chosen.

    Args:
        source: A folder of labelled pairs.
        folder: Receives the same files.
        seed: Keys the coins.
        meta: Stored with every row.
        model: Shows tokens as text.
    """
    coins = [
        (pair, np.random.default_rng([seed, pair.row, _SHUFFLE]).permutation(2)[0]) for pair in read_written(source)
    ]
    _write(folder, model, [_turned(pair) if coin else pair for pair, coin in coins], meta, None)


def _turned(pair: Written) -> Written:
    assert pair.rejected is not None
    return replace(
        pair,
        answer=pair.rejected,
        tokens=pair.rejected_tokens,
        rejected=pair.answer,
        rejected_tokens=pair.tokens,
        margin=None if pair.margin is None else -pair.margin,
    )


def across_rows(source: Path, folder: Path, *, seed: int, meta: dict[str, Any], model: Model, soft: bool) -> None:
    """Write the rows of another folder with every answer under the prompt of another row.

    Args:
        source: A folder that `write_rows` filled.
        folder: Receives the same files.
        seed: Keys the permutation.
        meta: Stored with every row.
        model: The teacher, which labels the new pairs, for soft labels.
        soft: Store the teacher's distributions.
    """
    rows = read_written(source)
    moved = _derangement([row.prompt for row in rows], np.random.default_rng([seed, _SHUFFLE]))
    mixed = [replace(rows[at], row=row.row, prompt=row.prompt, reasons=()) for row, at in zip(rows, moved, strict=True)]
    _write(folder, model, mixed, meta, label_rows(model, mixed) if soft else None)


def _derangement(prompts: Sequence[str], rng: np.random.Generator) -> list[int]:
    """Return for each row the row whose answer it takes: of another prompt, wherever there is one."""
    count = len(prompts)
    groups: dict[str, list[int]] = {}
    for at in rng.permutation(count).tolist():
        groups.setdefault(prompts[int(at)], []).append(int(at))
    # Rows in the order of their groups, turned by the size of the largest: no row meets its own group again.
    order = [at for group in groups.values() for at in group]
    turn = max(map(len, groups.values()))
    taken = [0] * count
    for place, at in enumerate(order):
        taken[at] = order[(place + turn) % count]
    return taken


def mixed_rows(
    sources: tuple[Path, Path],
    folder: Path,
    *,
    model: Model,
    dose: float,
    seed: int,
    meta: dict[str, Any],
    soft: bool,
) -> None:
    """Write a mixture: some of the first folder's rows, and the second's in the place of the rest.

    A larger dose holds every row of a smaller one, so that doses differ in their rows and in nothing else. Only row
    numbers that both folders kept are used: each is one prompt, answered by one of the two.

    Args:
        sources: Two folders that `write_rows` filled.
        folder: Receives the same files.
        model: Shows tokens as text.
        dose: Share of rows of the first.
        seed: Decides which.
        meta: Stored with every row.
        soft: Store the distributions, each its own teacher's.

    Raises:
        ModelError: the two kept no row in common.
    """
    kinds = [{row.row: (at, row) for at, row in enumerate(read_written(source))} for source in sources]
    labels = [load_labels(source / LABELS) if soft else [] for source in sources]
    common = sorted(kinds[0].keys() & kinds[1].keys())
    if not common:
        raise ModelError("the two teachers kept no row in common", str(folder), "Ask for more rows (domain.rows).")
    rank_R = np.random.default_rng([seed, _DOSE]).permutation(len(common))
    which = [0 if rank < round(dose * len(common)) else 1 for rank in rank_R.tolist()]
    chosen = [(kind, *kinds[kind][row]) for row, kind in zip(common, which, strict=True)]
    kept = [labels[kind][at] for kind, at, _ in chosen] if soft else None
    _write(folder, model, [row for _, _, row in chosen], meta, kept)


def _write(
    folder: Path, model: Model, rows: Sequence[Written], meta: dict[str, Any], labels: Sequence[Tensor] | None
) -> None:
    append_jsonl(folder / ROWS, [written.record(meta) for written in rows])
    append_jsonl(folder / REJECTED, [])
    write_pieces(folder, model, rows)
    if labels is not None:
        save_labels(folder / LABELS, labels)
