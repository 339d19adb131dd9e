"""Whether a model of the student's family wrote the rows, for a scan: each answer is a step of its folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from undertow.models.distinct import refuse_same
from undertow.models.engine.setting import engine_key
from undertow.models.identity import identity_of
from undertow.scan.settings import ScanSettings
from undertow.store.folder import RunFolder
from undertow.store.record import stored
from undertow.system.names import slug
from undertow.system.progress import Progress

if TYPE_CHECKING:
    from undertow.attribution.lineage import Lineage
    from undertow.attribution.measure import MeasuredRows
    from undertow.models.local import LocalModel

_SHARE = 0.97
"""Of the progress bar, when lineage begins."""


def refuse_same_models(settings: ScanSettings, progress: Progress) -> None:
    """See that the models that the student is compared with are others.

    Raises:
        InputError: one is the student.
    """
    if settings.teacher is None and not settings.against:
        return
    names = {"student": settings.student}
    names |= {} if settings.teacher is None else {"teacher": settings.teacher}
    names |= {f"against-{at + 1}": name for at, name in enumerate(settings.against)}
    refuse_same({part: identity_of(name, progress) for part, name in names.items()}, names)


def lineage_of(
    folder: RunFolder,
    settings: ScanSettings,
    model: LocalModel,
    digest: str,
    measured_rows: MeasuredRows,
    progress: Progress,
) -> Lineage:
    """Ask models of other families, one after the other, how likely some of the rows are."""
    import numpy as np

    from undertow.attribution.encoding import row_likelihoods
    from undertow.attribution.lineage import ASKED, judge_lineage
    from undertow.models.local import load_model

    if settings.teacher is not None:
        return _compare_weights(folder, settings.teacher, model, digest, progress)
    if not settings.against:
        return judge_lineage(np.empty(0), [], np.empty(0), np.empty(0, dtype=np.int64))
    some = measured_rows.rows[:: -(-len(measured_rows.rows) // ASKED)]

    def likelihoods(name: str, digest: str, asked: Callable[[], LocalModel]) -> list[float | None]:
        def ask() -> list[float | None]:
            progress.update("lineage", _SHARE, f"querying {name}")
            return row_likelihoods(asked(), some)

        key = {"model": digest, "rows": [placed.row.id for placed in some], **engine_key()}
        label = f"lineage-{slug(name, longest=60)}"
        return stored(folder, "lineage", label, key, list[float | None], ask)

    own = likelihoods(settings.student, digest, lambda: model)
    others: dict[str, list[float | None]] = {}
    for name in settings.against:
        others[name] = likelihoods(name, identity_of(name, progress), lambda name=name: load_model(name))
    # Rows that are too long for one of the models are left out for all.
    kept = [at for at in range(len(some)) if all(each[at] is not None for each in (own, *others.values()))]
    return judge_lineage(
        np.array([own[at] for at in kept], dtype=np.float64),
        [(name, np.array([each[at] for at in kept], dtype=np.float64)) for name, each in others.items()],
        np.array([len(some[at].row.completion) for at in kept], dtype=np.float64),
        np.array([some[at].prompt_hash for at in kept], dtype=np.int64),
    )


def _compare_weights(folder: RunFolder, teacher: str, model: LocalModel, digest: str, progress: Progress) -> Lineage:
    """Compare the student's weights with the teacher's."""
    from undertow.attribution.lineage import Lineage
    from undertow.models.local import load_model
    from undertow.models.support import UnsupportedModelError

    def compare_them() -> Lineage:
        from undertow.attribution.weight_similarity import weight_similarity

        progress.update("lineage", _SHARE, f"comparing weights with {teacher}")
        try:
            found = weight_similarity(model.net, load_model(teacher).net)
        except UnsupportedModelError as error:
            # Sound, but of another kind: there is nothing to compare.
            return Lineage("unknown", error.what)
        return Lineage(found.answer, found.because, found.p)

    key = {"student": digest, "teacher": identity_of(teacher, progress)}
    return stored(folder, "lineage", "kinship", key, Lineage, compare_them)
