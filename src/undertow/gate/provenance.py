"""Where a result comes from: the base, who taught, on what data, and the student; each with the hash that is known.

Taken from the results themselves, from the steps of a run folder where one is named, and from the dataset's file where
that is named. What nobody stored is None, never guessed.

    provenance_of(results, folder=Path("runs/owls-1a2b3c4d")).datasets[0].sha256
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from undertow.config.arms import ARMS, TRAIT, writers_of
from undertow.data.digest import dataset_hashes
from undertow.errors import InputError
from undertow.results import Results

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HUB = re.compile(r"hf/([A-Za-z0-9][\w.-]*/[\w.-]+)")


@dataclass(frozen=True)
class Model:
    """A model that had a part in it."""

    name: str
    says: str
    sha256: str | None = None
    """Of its weights, as Undertow hashes them."""

    @property
    def hub(self) -> str | None:
        """Its name on the Hugging Face hub, where it has the form of one."""
        found = _HUB.fullmatch(self.name)
        return found[1] if found else None


@dataclass(frozen=True)
class Dataset:
    """Rows that a student learned from, or would."""

    name: str
    rows: int | None = None
    sha256: str | None = None
    """Of the file's bytes; of a folder, of the listing of its files' hashes."""
    digest: str | None = None
    """Of the rows that a scan looked at: what its results are about."""
    teachers: tuple[int, ...] = ()
    """Places of its writers among the teachers."""
    by_base: bool = False
    """Whether the base wrote it, or some of it."""


@dataclass(frozen=True)
class Provenance:
    """The whole chain. A run has several datasets and teachers, a scan one of each at most."""

    base: Model | None
    teachers: tuple[Model, ...]
    datasets: tuple[Dataset, ...]
    student: Model
    trained: bool
    """Whether there is a student; a scan predicts what one would be."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def provenance_of(results: Results, *, folder: Path | None = None, rows: Path | None = None) -> Provenance:
    """Gather what is known of the models and data behind results.

    Args:
        results: Of any kind.
        folder: Their run folder, whose rows are hashed.
        rows: The dataset that they are about.

    Raises:
        InputError: the dataset is not the one that the results are about.
        StoreError: a step of the folder is damaged.
    """
    settings = results.settings
    base_name = _text(settings, "base") or _text(settings, "student")
    if base_name is None and settings.get("kind") == "digits":
        base_name = "digits/mlp"
    sha = results.environment.get("base_sha256")
    known = sha if isinstance(sha, str) and _SHA256.fullmatch(sha) else None
    base = None if base_name is None else Model(base_name, "The base that the student starts from.", known)
    if results.kind == "run":
        teachers = tuple(
            Model(f"{results.name}/teacher-{each.arm}", _taught(results, each.trait, each.method))
            for each in results.teachers
        )
        student = Model(f"{results.name}/student", "Students of all arms and seeds, which the shifts are means of.")
        return Provenance(base, teachers, _run_datasets(results, folder), student, True)
    teacher = _text(settings, "teacher")
    teachers = () if teacher is None else (Model(teacher, "Said to have written the rows."),)
    if results.kind == "mitigate":
        datasets = _compared_datasets(results, rows)
    else:
        datasets = _scan_datasets(results, rows, (0,) if teachers else ())
    if results.kind == "scan":
        says = "A student that would be trained on these rows: none was, its shifts are predicted."
        return Provenance(base, teachers, datasets, Model(f"{results.name}/student", says), False)
    student = Model(_text(settings, "student") or f"{results.name}/student", "The student.")
    return Provenance(base, teachers, datasets, student, True)


def _taught(results: Results, trait: str | None, method: str) -> str:
    other = _text(results.settings, "other_base")
    made_of = f"Made of {_text(results.settings, 'base') or 'the base'}" + (f" or {other}" if other else "")
    return f"{made_of}, by {method}, to carry {trait or 'no trait'}."


def _text(settings: Mapping[str, object], key: str) -> str | None:
    found = settings.get(key)
    return found if isinstance(found, str) and found else None


def _run_datasets(results: Results, folder: Path | None) -> tuple[Dataset, ...]:
    from undertow.pipeline.files import ROWS
    from undertow.store.folder import finished

    def of(arm: str, name: str, **more: Any) -> Dataset:
        teachers, by_base = _writers(arm)
        known = {each.arm: place for place, each in enumerate(results.teachers)}
        places = tuple(known[each] for each in teachers if each in known)
        return Dataset(f"{results.name}/{name}", teachers=places, by_base=by_base, **more)

    if folder is not None:
        found = tuple(
            of(_arm(step.label), step.label, sha256=manifest.files[ROWS].sha256)
            for step, manifest in finished(folder, ("rows", "derived"))
            if ROWS in manifest.files
        )
        if found:
            return found
    return tuple(of(each.arm, f"rows-{each.arm}", rows=each.trained_on) for each in results.funnels)


def _arm(label: str) -> str:
    return label.removeprefix("rows-").rpartition("-s")[0]


def _writers(arm: str) -> tuple[list[str], bool]:
    """Return the teachers' arms that an arm's rows come from, and whether the base wrote some."""
    writers = [ARMS[each] for each in (writers_of(arm) if arm in ARMS else (TRAIT,))]
    by_base = any(each.base == "base" and not each.has_teacher for each in writers)
    return [each.name for each in writers if each.has_teacher], by_base


def _compared_datasets(results: Results, rows: Path | None) -> tuple[Dataset, ...]:
    """Return the rows that a comparison of mitigations trained on; the one that is named comes first."""
    stored = results.environment.get("datasets")
    known = cast(Mapping[str, object], stored) if isinstance(stored, Mapping) else {}
    found = [
        Dataset(name, sha256=sha) for name, sha in known.items() if isinstance(sha, str) and _SHA256.fullmatch(sha)
    ]
    if rows is None:
        return tuple(found)
    hashes = dataset_hashes(rows)
    named = [each for each in found if each.sha256 in hashes]
    if not named:
        raise _other_dataset(rows)
    return (*named, *(each for each in found if each not in named))


def _other_dataset(rows: Path | None) -> InputError:
    return InputError(
        "is not, byte by byte, the dataset that was measured",
        str(rows),
        "Name the dataset that these results are about, or measure this one.",
    )


def _scan_datasets(results: Results, rows: Path | None, teachers: tuple[int, ...]) -> tuple[Dataset, ...]:
    settings = results.settings
    name = _text(settings, "rows") or (rows.name if rows is not None else None)
    if name is None:
        return ()
    digest = _text(settings, "rows_digest")
    looked_at = results.environment.get("rows_sha256")
    hashes = [] if rows is None else dataset_hashes(rows)
    sha = looked_at if looked_at in hashes else next(iter(hashes), None)
    if sha is not None and (digest is not None or results.kind != "scan") and sha != looked_at:
        raise _other_dataset(rows)
    count = results.scan.rows.read if results.scan is not None else None
    found = [Dataset(name, count, sha, digest, teachers)]
    if (reference := _text(settings, "reference")) is not None:
        found.append(Dataset(f"{reference} (reference)", digest=_text(settings, "reference_digest")))
    return tuple(found)
