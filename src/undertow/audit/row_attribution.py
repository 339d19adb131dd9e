"""From a dataset and two models to the three tests of `attribution_tests`, with the same pass over the rows as a scan.

The change of the weights is added to the traits' directions, in the same projected coordinates. So one backward pass
over each row gives its inner products with all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from undertow.attribution.directions import Directions
from undertow.attribution.measure import Setup, encode_dataset, measure_rows
from undertow.attribution.stored import directions_of, panel_digest
from undertow.audit.attribution_tests import attribution_tests, says
from undertow.audit.weights import projected_change
from undertow.data.sample import Chosen
from undertow.models.local import LocalModel
from undertow.models.precision import choose_precision
from undertow.results import RowCounts, TracedRows
from undertow.store.folder import RunFolder
from undertow.system.progress import Progress
from undertow.traits.panel import Panel

_CHANGE = "change of the weights"


def attribute_rows(
    folder: RunFolder,
    base: LocalModel,
    student: LocalModel,
    panel: Panel,
    chosen: Chosen,
    measured: Mapping[str, float],
    digests: dict[str, str],
    progress: Progress,
) -> tuple[TracedRows, Chosen]:
    """Look at rows, and ask whether the student's change comes from them.

    Args:
        folder: Where windows of rows are kept.
        base: The base.
        student: The student, its adapter merged.
        panel: Whose traits.
        chosen: The rows to look at.
        measured: The student's shifts, by trait.
        digests: Stand for the models' weights.
        progress: Receives the progress.

    Returns:
        What the tests say, and the rows with what the chat template makes of them.

    Raises:
        RowError: fewer than two rows can be measured.
    """
    traits = directions_of(
        base,
        digests["base"],
        panel,
        on_progress=lambda done: progress.update("traits of the panel", 0.85 + 0.05 * done),
    )
    change_F = projected_change(base.net, student.net)
    directions = Directions((*traits.names, _CHANGE), torch.cat([traits.gradients_KF, change_F[None]]))
    key: dict[str, Any] = {"student": digests["base"], "panel": panel_digest(panel), "changed": digests["student"]}
    setup = Setup(folder, base, panel, directions, key, choose_precision(), progress)
    opened = encode_dataset(base, chosen, "rows")
    count = len(opened.rows)
    measured_rows = measure_rows(
        setup,
        opened,
        lambda done: progress.update(
            "measuring the rows", 0.9 + 0.09 * done / count, f"{done:,} of {count:,} {opened.unit}"
        ),
    )
    cluster_R = measured_rows.cluster_R
    measured_K = np.array([measured[name] for name in traits.names])
    strongest = int(np.abs(measured_K).argmax())
    alignment_RJ = measured_rows.features.alignment_RK
    found = attribution_tests(
        alignment_RJ[:, :-1], alignment_RJ[:, -1], cluster_R, measured_K, strongest, rng=np.random.default_rng(0x7ACE)
    )
    traced = TracedRows(
        rows=RowCounts(
            read=measured_rows.chosen.read,
            looked_at=measured_rows.count,
            too_long=measured_rows.too_long,
            left_out=measured_rows.left_out,
            broken=len(measured_rows.chosen.broken),
        ),
        prompts=len(np.unique(cluster_R)),
        traits_correlation=found.traits_correlation,
        traits_p=found.traits_p,
        weights_agreement=found.weights_t,
        weights_p=found.weights_p,
        rows_trait=traits.names[strongest],
        rows_correlation=found.rows_correlation,
        rows_p=found.rows_p,
        says=says(found),
    )
    return traced, measured_rows.chosen
