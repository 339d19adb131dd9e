"""The steps of an audit with local models: each is made once, and found again by what its numbers depend on.

Models are loaded when a step needs them, and kept until the audit ends.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from undertow.attribution.lineage import Lineage
from undertow.audit.panel import Odds, compared_with, controls_of, mean_odds
from undertow.audit.settings import AuditSettings
from undertow.data.sample import Chosen
from undertow.models.distinct import refuse_same, weights_digest
from undertow.models.identity import identity_of
from undertow.models.names import split_name
from undertow.results import TracedRows, Unnamed
from undertow.store.folder import RunFolder
from undertow.store.record import stored
from undertow.system.progress import Progress
from undertow.traits.panel import Panel

if TYPE_CHECKING:
    from undertow.audit.difference import Difference
    from undertow.audit.weights import Change
    from undertow.models.local import LocalModel

_VERSION = 1
"""Raised when a step makes other numbers of the same models."""


Scores = dict[str, list[float]]
"""Of every trait or task, by question; as they are stored."""


@dataclass(frozen=True)
class _StoredLineage:
    """As it is stored."""

    kin: Lineage
    obstacle: str
    """Why the two models' states cannot be compared; empty where they can."""


@dataclass
class Measurement:
    """An audit under way."""

    folder: RunFolder
    settings: AuditSettings
    panel: Panel
    progress: Progress
    digests: dict[str, str]
    """What stands for each model's weights."""
    obstacle: str = ""
    """Why the student's weights cannot be compared with the base's, if so."""
    weights: dict[str, str] = field(default_factory=dict)
    """Hash of each model's weights, its adapter merged, as far as they were looked at."""
    _models: dict[str, LocalModel] = field(default_factory=dict)
    _adapters: dict[str, str] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def begin(
        cls, folder: RunFolder, settings: AuditSettings, panel: Panel, progress: Progress
    ) -> Generator[Measurement]:
        """Find the models; none is loaded yet.

        Raises:
            InputError: two of them are the same.
        """
        digests = {each: identity_of(name, progress) for each, name in settings.models().items()}
        refuse_same(digests, settings.models())
        yield cls(folder, settings, panel, progress, digests)

    def model(self, who: str) -> LocalModel:
        """Return a model, its adapter merged; beside base and student one more is kept."""
        from undertow.audit.weights import merged
        from undertow.models.local import load_model

        if who not in self._models:
            self._models = {each: kept for each, kept in self._models.items() if each in ("base", "student")}
            self._models[who], self._adapters[who] = merged(load_model(self.settings.models()[who], dtype="frozen"))
        return self._models[who]

    def tell_apart(self, who: str) -> None:
        """See that a model is none of those that were looked at before, under whatever name and in whatever files.

        Raises:
            InputError: it is.
        """

        def look() -> str:
            self.progress.update(f"weights of the {who}", 0.0)
            return weights_digest(self.model(who).net)

        key = {"version": _VERSION, "model": self.digests[who]}
        self.weights[who] = stored(self.folder, "identity", f"identity-{who}", key, str, look)
        refuse_same(self.weights, self.settings.models())

    def panel_of(self, who: str, start: float, share: float) -> Odds:
        """Return a model's log-odds on the panel."""
        from undertow.attribution.stored import panel_digest
        from undertow.audit.panel import panel_odds

        def ask() -> Scores:
            model = self.model(who)
            odds = panel_odds(
                model,
                self.panel,
                on_progress=lambda done: self.progress.update(f"traits of the {who}", start + share * done),
            )
            return _lists(odds)

        key = {"version": _VERSION, "model": self.digests[who], "panel": panel_digest(self.panel)}
        return _arrays(stored(self.folder, "panel", f"panel-{who}", key, Scores, ask))

    def capability_of(self, who: str) -> dict[str, NDArray[np.float64]]:
        """Return what a model can do, item by item."""
        from undertow.audit.capability import capability

        def ask() -> Scores:
            self.progress.update(f"capability of the {who}", 0.5)
            return _lists(capability(self.model(who)))

        key = {"version": _VERSION, "model": self.digests[who]}
        return _arrays(stored(self.folder, "capability", f"capability-{who}", key, Scores, ask))

    def lineage(self) -> Lineage:
        """Say whether the student comes from the base."""

        def compare() -> _StoredLineage:
            from undertow.attribution.weight_similarity import weight_similarity
            from undertow.audit.difference import comparable
            from undertow.models.local import load_model

            self.progress.update("lineage", 0.55)
            base = self.model("base")
            # With its adapter apart, what is compared is the model underneath.
            student = (
                load_model(self.settings.student) if split_name(self.settings.student)[1] else self.model("student")
            )
            found = weight_similarity(base.net, student.net)
            return _StoredLineage(Lineage(found.answer, found.because, found.p), comparable(base, student))

        found = stored(self.folder, "lineage", "kinship", self._pair(), _StoredLineage, compare)
        self.obstacle = found.obstacle
        return found.kin

    def change(self) -> Change:
        """Measure how far the student's weights are from the base's."""
        from undertow.audit.weights import Change

        def compare() -> Change:
            from undertow.audit.weights import weight_change

            self.progress.update("weights", 0.57)
            base, student = self.model("base"), self.model("student")
            return weight_change(base.net, student.net, self._adapters["student"])

        return stored(self.folder, "lineage", "weights", self._pair(), Change, compare)

    def unnamed(self) -> Unnamed | None:
        """Look for what changed that no trait names; None where the models cannot be compared."""
        if self.obstacle:
            return None

        def look() -> Unnamed:
            from undertow.audit.difference import base_answers
            from undertow.audit.search import search_unnamed
            from undertow.audit.texts import UNRELATED

            base = self.model("base")
            controls = [each for each in self.digests if each.startswith("control")]
            answers = base_answers(base, UNRELATED)
            return search_unnamed(
                base,
                self._difference("student", answers, 0.6),
                [self._difference(each, answers, 0.65 + 0.1 * at / len(controls)) for at, each in enumerate(controls)],
                self.panel,
                level=self.settings.level,
                on_progress=lambda done: self.progress.update("steering the base", 0.75 + 0.1 * done),
            )

        from undertow.attribution.stored import panel_digest

        key = {
            **self._pair(),
            "controls": controls_of(self.digests),
            "panel": panel_digest(self.panel),
            "level": self.settings.level,
        }
        return stored(self.folder, "unnamed", "unnamed", key, Unnamed, look)

    def _difference(self, who: str, answers: Sequence[Sequence[int]], start: float) -> Difference:
        from undertow.audit.difference import difference
        from undertow.audit.texts import UNRELATED

        return difference(
            self.model("base"),
            self.model(who),
            UNRELATED,
            answers,
            on_progress=lambda done: self.progress.update(f"unrelated prompts, {who}", start + 0.05 * done),
        )

    def traced(self, chosen: Chosen, odds: Mapping[str, Odds]) -> tuple[TracedRows, Chosen]:
        """Ask whether the student's change comes from rows; see `attribute_rows`."""
        from undertow.audit.row_attribution import attribute_rows

        base, student = self.model("base"), self.model("student")
        other = mean_odds(compared_with(odds))
        measured = {name: float((odds_Q - other[name]).mean()) for name, odds_Q in odds["student"].items()}
        return attribute_rows(self.folder, base, student, self.panel, chosen, measured, self.digests, self.progress)

    def _pair(self) -> dict[str, Any]:
        return {"version": _VERSION, "base": self.digests["base"], "student": self.digests["student"]}


def _lists(odds: Mapping[str, NDArray[np.float64]]) -> Scores:
    return {name: each.tolist() for name, each in odds.items()}


def _arrays(scores: Scores) -> dict[str, NDArray[np.float64]]:
    return {name: np.array(each, dtype=np.float64) for name, each in scores.items()}
