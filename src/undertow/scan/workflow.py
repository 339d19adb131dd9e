"""`undertow scan`: from a file of rows to findings, in a run folder whose finished steps are not made again.

outcome = scan(Path("rows.jsonl"), ScanSettings(student="embedded/smollm2-135m"), root=Path("runs"))
outcome.results.verdict
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from undertow.errors import RowError
from undertow.experiment.store import RunFolder
from undertow.progress import Progress, Silent
from undertow.results import Results
from undertow.scan.reading import Chosen, Placed, choose_rows
from undertow.traits.panel import Panel, load_panel

if TYPE_CHECKING:
    from undertow.models.local import LocalModel
    from undertow.scan.directions import Directions
    from undertow.scan.features import Features
    from undertow.scan.lineage import Kin
    from undertow.scan.sampling import Encoded, Sampling

WINDOW = 128
"""Rows in a step: what a scan that is stopped has to do again, at most."""


class ScanSettings(BaseModel):
    """What a scan is asked to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    student: str = "embedded/smollm2-135m"
    """The base that the student starts from."""
    traits: tuple[str, ...] | None = None
    """Entries of the panel; all that ship when absent."""
    most_rows: int | None = Field(default=None, ge=2)
    everything: bool = False
    """Look at all rows."""
    teacher: str | None = None
    """The model that wrote the rows, where it is at hand: its weights are compared with the student's."""
    against: tuple[str, ...] = ()
    """Models of other families, to ask whether one of them wrote the rows."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    smallest_effect: float = Field(default=0.1, gt=0)
    """Log-odds below which a shift does not matter."""


@dataclass(frozen=True)
class ScanOutcome:
    """A finished scan."""

    folder: Path
    results: Results
    report: Path
    rows: list[Placed]
    """Those that were looked at."""
    carried_R: list[float]
    """How much each of them carries of what was found, in nats: of the trait with the strongest evidence."""


@dataclass(frozen=True)
class Looked:
    """Rows of one dataset, with what was computed of them."""

    chosen: Chosen
    rows: list[Placed]
    """Those that fit into the student's context."""
    encoded: list[Encoded]
    features: Features
    sampling: Sampling

    @property
    def too_long(self) -> int:
        """Rows that were chosen and could not be looked at."""
        return len(self.chosen.rows) - len(self.rows)


def scan(
    path: Path,
    settings: ScanSettings,
    *,
    reference: Path | None = None,
    split: str | None = None,
    skip_broken: bool = False,
    root: Path = Path("runs"),
    progress: Progress | None = None,
) -> ScanOutcome:
    """Predict what training on a dataset does to a student.

    Args:
        path: The dataset.
        settings: What to do.
        reference: Rows that the untouched base wrote, best on the same prompts.
        split: Of a folder.
        skip_broken: Leave lines out that are no rows.
        root: Where run folders lie.
        progress: Is told how far it is.

    Raises:
        UndertowError: see the subclasses.
    """
    progress = progress or Silent()
    panel = load_panel(settings.traits)

    def choose(each: Path, split: str | None) -> Chosen:
        return choose_rows(
            each,
            split=split,
            most=settings.most_rows,
            everything=settings.everything,
            skip_broken=skip_broken,
            on_progress=lambda count: progress.update("reading", 0.0, f"{count:,} rows"),
        )

    chosen = choose(path, split)
    others = choose(reference, None) if reference is not None else None
    spec: dict[str, Any] = {
        "kind": "scan",
        "rows": path.name,
        "rows_digest": _digest(chosen),
        "reference": None if reference is None else reference.name,
        "reference_digest": None if others is None else _digest(others),
        **settings.model_dump(mode="json"),
    }
    with RunFolder.open(root, name=_folder_name(path), spec=spec, progress=progress) as folder:
        return _carry_out(folder, path, settings, spec, panel, chosen, others, progress)


def _carry_out(
    folder: RunFolder,
    path: Path,
    settings: ScanSettings,
    spec: dict[str, Any],
    panel: Panel,
    chosen: Chosen,
    others: Chosen | None,
    progress: Progress,
) -> ScanOutcome:
    from undertow.experiment._environment import environment
    from undertow.models.local import load_model
    from undertow.models.precision import set_up_process
    from undertow.report import render_html
    from undertow.scan._stored import directions_of, panel_digest
    from undertow.scan.gather import Found, gather

    digest = identity_of(settings.student, progress)
    threads = set_up_process()
    model = load_model(settings.student)
    share = _DIRECTIONS if others is None else _DIRECTIONS / 2
    directions = directions_of(
        model, digest, panel, on_progress=lambda done: progress.update("traits of the panel", share * done)
    )
    key = {"student": digest, "panel": panel_digest(panel)}
    step = _Windows(
        folder, model, directions, key, progress, len(chosen.rows) + len(others.rows if others else ()), share
    )
    looked = step.look_at(chosen, "rows")
    compared = step.look_at(others, "reference") if others is not None else None
    kin = _ask_others(folder, settings, model, digest, looked, progress)
    results, carried = gather(
        Found(path, settings, spec, directions, looked, compared, kin),
        model,
        environment(threads) | {"base_sha256": digest},
        lambda done: progress.update("the rows that carry it", 0.97 + 0.03 * done),
    )
    folder.write("results.json", results.to_json())
    page = folder.write("report.html", render_html(results))
    progress.update("scan", 1.0, "done")
    return ScanOutcome(folder.path, results, page, looked.rows, carried)


def _ask_others(
    folder: RunFolder, settings: ScanSettings, model: LocalModel, digest: str, looked: Looked, progress: Progress
) -> Kin:
    """Ask models of other families, one after the other, how likely some of the rows are."""
    import numpy as np

    from undertow.models.local import load_model
    from undertow.scan.encoding import row_likelihoods
    from undertow.scan.lineage import ASKED, judge_kin

    if settings.teacher is not None:
        return _compare_weights(folder, settings.teacher, model, digest, progress)
    if not settings.against:
        return judge_kin(np.empty(0), [], np.empty(0), np.empty(0, dtype=np.int64))
    some = looked.rows[:: -(-len(looked.rows) // ASKED)]

    def likelihoods(name: str, digest: str, asked: Callable[[], LocalModel]) -> list[float | None]:
        def build(part: Path) -> None:
            progress.update("lineage", 0.97, f"asking {name}")
            (part / "logp.json").write_text(json.dumps(row_likelihoods(asked(), some)), encoding="utf-8")

        key = {"model": digest, "rows": [placed.row.id for placed in some]}
        label = f"lineage-{_slug(name)[:60]}"
        return json.loads((folder.step("lineage", label, key, build) / "logp.json").read_text(encoding="utf-8"))

    own = likelihoods(settings.student, digest, lambda: model)
    others: dict[str, list[float | None]] = {}
    for name in settings.against:
        others[name] = likelihoods(name, identity_of(name, progress), lambda name=name: load_model(name))
    # Rows that are too long for one of the models are left out for all.
    kept = [at for at in range(len(some)) if all(each[at] is not None for each in (own, *others.values()))]
    return judge_kin(
        np.array([own[at] for at in kept], dtype=np.float64),
        [(name, np.array([each[at] for at in kept], dtype=np.float64)) for name, each in others.items()],
        np.array([len(some[at].row.completion) for at in kept], dtype=np.float64),
        np.array([some[at].prompt_hash for at in kept], dtype=np.int64),
    )


def _compare_weights(folder: RunFolder, teacher: str, model: LocalModel, digest: str, progress: Progress) -> Kin:
    """Compare the student's weights with the teacher's."""
    from undertow.models.local import load_model
    from undertow.scan.lineage import Kin

    def build(part: Path) -> None:
        from undertow.scan.kinship import kinship

        progress.update("lineage", 0.97, f"comparing weights with {teacher}")
        found = kinship(model.net, load_model(teacher).net)
        text = json.dumps({"answer": found.answer, "because": found.because, "p": found.p})
        (part / "kinship.json").write_text(text, encoding="utf-8")

    key = {"student": digest, "teacher": identity_of(teacher, progress)}
    file = folder.step("lineage", "kinship", key, build) / "kinship.json"
    return Kin(**json.loads(file.read_text(encoding="utf-8")))


_DIRECTIONS = 0.3
"""Share of the bar for finding the traits' directions, where they are not in the cache."""


class _Windows:
    """Looks at rows a window at a time; every window is a step."""

    def __init__(
        self,
        folder: RunFolder,
        model: LocalModel,
        directions: Directions,
        key: dict[str, Any],
        progress: Progress,
        rows: int,
        start: float,
    ) -> None:
        from undertow.models.precision import choose_precision

        self.folder, self.model, self.directions, self.key = folder, model, directions, key
        self.progress, self.rows, self.start, self.done = progress, rows, start, 0
        self.precision = choose_precision()
        self.sampling: Sampling | None = None

    def look_at(self, chosen: Chosen, label: str) -> Looked:
        from undertow.scan._stored import load_features, save_features
        from undertow.scan.encoding import encode_rows
        from undertow.scan.features import row_features
        from undertow.scan.sampling import fit_temperature

        rows, encoded, automaton = encode_rows(self.model, chosen.rows)
        if len(rows) < 2:
            raise RowError(
                f"has {len(rows)} row of {chosen.read:,} that can be looked at (longer than the student's context: "
                f"{len(chosen.rows) - len(rows):,})",
                label,
                "A scan needs two rows at least, and says little with fewer than fifty.",
            )
        if self.sampling is None:
            self.sampling = fit_temperature(self.model, encoded, automaton)
        sampling = self.sampling
        paths: list[Path] = []
        for first in range(0, len(rows), WINDOW):
            window = encoded[first : first + WINDOW]

            def tick(count: int) -> None:
                share = (self.done + count) / max(self.rows, 1)
                self.progress.update(
                    f"looking at the {label}",
                    self.start + (0.97 - self.start) * share,
                    f"{self.done + count:,} of {self.rows:,}",
                )

            def build(part: Path, window: Sequence[Encoded] = window, tick: Callable[[int], None] = tick) -> None:
                features = row_features(
                    self.model, window, self.directions, sampling, autocast=self.precision.autocast, on_progress=tick
                )
                save_features(part / "features.safetensors", features)

            tokens = hashlib.sha256(repr([(row.prompt, row.answer, row.states) for row in window]).encode()).hexdigest()
            key = {**self.key, "rows": tokens, "temperature": sampling.temperature, "precision": self.precision.dtype}
            paths.append(
                self.folder.step("scan", f"{label}-{first // WINDOW:05d}", key, build) / "features.safetensors"
            )
            self.done += len(window)
        return Looked(chosen, rows, encoded, load_features(paths), sampling)


def identity_of(name: str, progress: Progress) -> str:
    """Return what stands for a model's weights, its adapter's included; it is fetched if it must be."""
    from undertow.models.local import find_model, model_digest

    base, _, adapter = name.partition(":")
    digest = model_digest(base, find_model(base, progress=progress))
    return f"{digest} {model_digest(adapter, Path(adapter))}" if adapter else digest


def _digest(chosen: Chosen) -> str:
    ids = json.dumps([placed.row.id for placed in chosen.rows] + [str(chosen.read)])
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


def _folder_name(path: Path) -> str:
    return f"scan-{_slug(path.stem)[:40] or 'rows'}"


def _slug(text: str) -> str:
    """Return a text as labels and folders may be called."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
