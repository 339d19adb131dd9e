"""Every table of the pages by name, and those whose raw data are not committed, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from benchmarks.figures import beside, experiments, measurements, paper
from benchmarks.figures.summary import summary
from benchmarks.figures.table import Table

TABLES: Final[Mapping[str, Callable[[], Table]]] = {
    "summary": summary,
    "demo-arms": experiments.demo_arms,
    "demo-differences": experiments.demo_differences,
    "paper": paper.paper,
    "transfer": experiments.transfer,
    "scan-detection": measurements.scan_detection,
    "scan-sizes": measurements.scan_sizes,
    "scan-dropping": measurements.dropping,
    "scan-fine-tuned": measurements.fine_tuned,
    "scan-baselines": measurements.baselines,
    "teacher-inference": measurements.teacher_inference,
    "audit": measurements.audit,
    "mitigations": partial(
        experiments.mitigations,
        "owl-numbers",
        ("none", "format", "subtract", "freeze", "mask", "inoculate", "drop", "steer"),
    ),
    "mitigations-others": partial(
        experiments.mitigations,
        "owl-numbers-others",
        ("none", "panel", "project", "leash", "paraphrase", "own-base", "other-base"),
    ),
    "mitigations-six-seeds": partial(experiments.mitigations, "owl-numbers-six-seeds", ("none", "freeze", "subtract")),
    "digits": experiments.digits,
    "digits-differences": experiments.digits_difference,
    "digits-theorem": experiments.digits_theorem,
    "filters": measurements.filters,
    "null": measurements.null,
    "rehearsal": beside.rehearsal,
    "rehearsal-errors": beside.rehearsal_errors,
    "memory": beside.memory,
    "memory-large": beside.large_models,
}
PICTURES: Final[Mapping[str, Callable[[], str]]] = {paper.PICTURE: paper.bars}
"""Pictures of the pages, by their places in the checkout; `--write` writes them with the pages."""
UNBACKED: Final[Mapping[str, str]] = {}
"""Tables that nobody can compute from this repository; they stand as they were printed."""
UNBACKED_PROSE: Final = (
    "minutes of runs in sentences and in README: a results.json holds no time, a timing.json beside it does",
    "numbers in sentences: those of a table are repeated from it, the others stand as they were printed",
    "shifts of single students: the benchmark's features and virtual students (runs/transfer) are not committed",
)
