"""Which rows carry most of the shift that a dataset's rows show most surely.

    found = score_rows(Path("rows.jsonl"), "embedded/smollm2-135m", root=Path("runs"))
    found.trait, worst(found.carried_R, 0.2)

The steps that it makes are those of a scan of all rows, which takes them over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.directions import Directions
from undertow.attribution.features import Features
from undertow.attribution.prediction import Calibration, predicted_shifts, side_of
from undertow.attribution.recipe import rates_of
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.rows import Row
from undertow.data.sample import Placed, choose_rows, row_numbers
from undertow.system.names import slug
from undertow.system.progress import Progress
from undertow.traits.panel import load_panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RowScores:
    """Of the rows that could be measured. R rows."""

    rows: list[Placed]
    carried_R: Floats
    """How much each carries of the trait's shift, in nats, in the direction of the shift."""
    trait: str
    """The one that the rows pull most surely."""
    too_long: int
    """Rows that do not fit into the model's context."""
    folder: Path
    """Where the steps are."""
    broken: int = 0
    """Lines that are no rows, and rows that the chat template refuses."""


def score_rows(
    path: Path,
    student: str,
    *,
    root: Path,
    progress: Progress,
    reading: Reading = RECOGNISED,
    skip_broken: bool = False,
) -> RowScores:
    """Score every row of a dataset.

    Args:
        path: The dataset.
        student: The base that the student starts from.
        root: Where run folders lie.
        progress: Receives the progress.
        reading: How records become rows, and which turns carry loss.
        skip_broken: Leave out what is no row, and rows that the student's chat template refuses.

    Raises:
        UndertowError: see the subclasses.
    """
    from undertow.attribution.measure import Setup, encode_dataset, measure_rows
    from undertow.attribution.stored import directions_of, panel_digest
    from undertow.models.identity import identity_of
    from undertow.models.local import load_base
    from undertow.models.precision import choose_precision, set_up_process
    from undertow.store.folder import RunFolder

    panel = load_panel()
    chosen = choose_rows(path, everything=True, skip_broken=skip_broken, reading=reading)
    digest = identity_of(student, progress)
    spec = {"kind": "row-scores", "student": student, "rows": [placed.row.id for placed in chosen.rows]}
    with RunFolder.open(root, name=f"scan-{slug(path.stem)}", spec=spec, progress=progress, reuses=True) as folder:
        set_up_process(many_lengths=True)
        model = load_base(student)
        directions = directions_of(
            model, digest, panel, on_progress=lambda done: progress.update("traits of the panel", 0.3 * done)
        )
        key = {"student": digest, "panel": panel_digest(panel)}
        setup = Setup(folder, model, panel, directions, key, choose_precision(), progress)
        opened = encode_dataset(model, chosen, "rows")
        count = len(opened.rows)
        measured_rows = measure_rows(
            setup,
            opened,
            lambda done: progress.update(
                "scoring rows", 0.3 + 0.7 * done / count, f"{done:,} of {count:,} {opened.unit}"
            ),
        )
        trait, carried_R = carried(
            directions,
            measured_rows.features,
            measured_rows.cluster_R,
            measured_rows.sampling.temperature,
            measured_rows.chosen.read,
        )
        broken = len(opened.chosen.broken)
        return RowScores(measured_rows.rows, carried_R, trait, measured_rows.too_long, folder.path, broken)


def carried(
    directions: Directions, features: Features, cluster_R: Ints, temperature: float, read: int
) -> tuple[str, Floats]:
    """Return the trait that rows pull most surely, and how much of it each of them carries, shape (R), in nats.

    Args:
        directions: Of the panel's traits.
        features: Of the rows.
        cluster_R: Equal for rows with the same prompt.
        temperature: At which the rows were written.
        read: Rows of the dataset.
    """
    side = side_of(features, cluster_R, temperature, rates_of(read))
    shifts = predicted_shifts(directions.names, side, None, level=0.95, calibration=Calibration())
    at = min(range(len(shifts)), key=lambda place: (shifts[place].p, -abs(shifts[place].estimate.value)))
    sign = -1.0 if shifts[at].estimate.value < 0 else 1.0
    return shifts[at].trait, sign * features.alignment_RK[:, at]


def without_worst(rows: Sequence[Placed], carried_R: Floats, share: float) -> tuple[list[Row], int]:
    """Return the rows without those that carry most, as they were read, and how many were left out.

    Args:
        rows: Rows, or the answers of rows that carry loss.
        carried_R: How much each carries; answers of one row are added up.
        share: Of the rows to leave out.
    """
    at_R = row_numbers(rows)
    whole = {place: placed.whole or placed.row for place, placed in zip(at_R, rows, strict=True)}
    dropped = worst(np.bincount(at_R, weights=carried_R, minlength=len(whole)).astype(np.float64), share)
    return [whole[place] for place in range(len(whole)) if place not in dropped], len(dropped)


def worst(carried_R: Floats, share: float) -> set[int]:
    """Return the places of the rows that carry most; of equal ones the later."""
    count = round(share * len(carried_R))
    return set(np.argsort(carried_R, kind="stable")[len(carried_R) - count :].tolist())
