"""The run folder: hash-addressed steps that are made once, kept intact, and made again when they are not.

    runs/owl-numbers-1a2b3c4d/
      spec.yaml                       the resolved experiment file; `undertow run` takes it as it is
      steps/<label>--<id>/            a finished step: its files, and step.json with their hashes
      steps/<label>--<id>.part/       a step that runs, or was interrupted
      results.json, report.html ...   top-level files, written in one piece
      timing.json                     wall seconds; the one file that differs between two runs of a spec

A step is finished when its folder has its final name, and that name is given last, after everything was
flushed to the disk. So a run that is killed at any moment and started again gives the bytes of an undisturbed
one, provided that each step depends on its key alone. The folder knows nothing of what steps compute.

    with RunFolder.open(Path("runs"), name="owl-numbers", spec=spec) as folder:
        rows = folder.step("rows", "rows-trait-s0", {"seed": 0}, lambda part: write_rows(part))
        folder.write("results.json", results.to_json())
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from undertow.errors import StoreError, UndertowError
from undertow.store._lock import acquire, discard, forget_holder
from undertow.store.files import building, list_files, read_bytes, remove, storing, sync, write_atomic
from undertow.store.reuse import reuse
from undertow.store.spec import settle_spec
from undertow.store.step import (
    BIG,
    Examined,
    Manifest,
    Step,
    canonical_json,
    check_label,
    examine,
    locate,
    seal,
    step_id,
    unseal,
)
from undertow.system.progress import Progress, Silent

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["FolderCheck", "Manifest", "RunFolder", "Step", "check", "finished", "step_id"]

SPEC: Final = "spec.yaml"
_MAX_TIMES: Final = 10_000_000
"""Bytes of the file of times."""
TIMING: Final = "timing.json"
_STEPS: Final = "steps"
_PART: Final = ".part"
_ASIDE: Final = ".damaged.part"
_BORROWED: Final = ".borrowed.part"
_STEP_NAME = re.compile(r"(?P<label>[a-z0-9][a-z0-9._-]*)--(?P<id>[0-9a-f]{12})")


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run folder that this process, and no other, works in. Made by `open`; left by `close` or `with`."""

    path: Path
    progress: Progress
    _lock: BaseFileLock
    _lenders: tuple[Path, ...] = ()
    """Where steps of other runs lie, which are copied if they are missing here."""
    _verified: set[Path] = field(default_factory=set[Path])
    """Steps whose hashes this process has seen to fit; after that sizes do."""

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        name: str,
        spec: Mapping[str, Any],
        progress: Progress | None = None,
        reuses: bool = False,
    ) -> RunFolder:
        """Make or enter the folder `<root>/<name>-<hash of the spec>` and lock it.

        Args:
            root: Where run folders lie.
            name: The experiment's name.
            spec: The resolved experiment as plain JSON values.
            progress: Is told which steps are made again, and why.
            reuses: Take over steps that a run of the same name, and another spec, has finished.

        Raises:
            StoreError: another process works in it (named by its pid), it holds another spec, a link stands
                where a folder should be, or it cannot be written.
            InputError: the name cannot be a folder's name, or the spec is not plain JSON.
        """
        path = planned_folder(root, name, spec)
        with storing(path):
            path.mkdir(parents=True, exist_ok=True)
            _require_folder(path)
            lock = acquire(path)
            try:
                settle_spec(path / SPEC, spec)
                (path / _STEPS).mkdir(exist_ok=True)
                _require_folder(path / _STEPS)
                siblings = sorted(root.glob(f"{name}-{'[0-9a-f]' * 8}")) if reuses else []
                lenders = tuple(other / _STEPS for other in siblings if other != path and not other.is_symlink())
            except BaseException:
                lock.release()
                raise
        return cls(path, progress or Silent(), lock, lenders)

    def close(self) -> None:
        """Let other processes in."""
        if self._lock.is_locked:
            try:
                forget_holder(self.path)
            finally:
                self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # What was refused before any step was made leaves no folder behind.
        empty = kind is not None and issubclass(kind, UndertowError) and self._is_empty()
        self.close()
        if empty:
            with suppress(OSError):  # another process may have come in
                discard(self.path, SPEC, _STEPS)

    def _is_empty(self) -> bool:
        with suppress(OSError):
            held = {each.name for each in self.path.iterdir() if not each.name.startswith(".")}
            return held <= {SPEC, _STEPS} and not any((self.path / _STEPS).iterdir())
        return False

    def step(
        self,
        kind: str,
        label: str,
        key: Mapping[str, Any],
        build: Callable[[Path], None],
        *,
        resume: bool = False,
    ) -> Path:
        """Return the folder of a finished step, after reusing it or making it if it is missing or damaged.

        Only a missing one is reused, from runs of the same name, and only if `open` was called with that option.

        Args:
            kind: What sort of step it is.
            label: Its name for people, the same for no other step of the run.
            key: Everything that its bytes depend on.
            build: Writes the step's files into the empty folder that it is given.
            resume: Give `build` what an interrupted attempt left instead of an empty folder. Every file there
                may be cut off (`append_jsonl` bears that), and `build` must end with the bytes of an
                undisturbed attempt.

        Raises:
            StoreError: the disk is full, a permission is missing, or the step wrote a link.
            InputError: the label or the key cannot be stored.
        """
        step = locate(self.path / _STEPS, kind, label, key)
        part = step.path.with_name(step.path.name + _PART)
        aside, borrowed = (step.path.with_name(step.path.name + end) for end in (_ASIDE, _BORROWED))
        before: Manifest | None = None
        with storing(step.path):
            remove(aside)
            remove(borrowed)
            if os.path.lexists(step.path):
                before, damage = self._examine(step.path)
                if not damage:
                    return step.path
                self.progress.note(f"{label} is made again: {damage}")
                # Renamed first, so that a kill amid the removal leaves nothing under a name that counts.
                step.path.rename(aside)
                remove(aside)
            elif reuse(step, self._lenders, borrowed):
                remove(part)
                self._verified.add(step.path)
                return step.path
            if resume and _is_plain(part):
                unseal(part)
            else:
                remove(part)
                part.mkdir()
        started = time.perf_counter()
        try:
            with building(part):
                build(part)
            with storing(part):
                manifest = seal(part, kind, key)
                self._record(label, time.perf_counter() - started)
                part.rename(step.path)
                sync(step.path.parent)
        except StoreError:
            if not resume:
                with suppress(OSError):
                    remove(part)
            raise
        self._verified.add(step.path)
        if before is not None and before.files != manifest.files:
            self.progress.note(
                f"{label} has other bytes than before (other versions?), and steps that read the old ones "
                f"are kept: delete {self.path} to make all of them again"
            )
        return step.path

    def write(self, name: str, text: str) -> Path:
        """Write a top-level file in one piece: a reader, or a kill, sees the old text or the new one.

        Raises:
            StoreError: the disk is full or a permission is missing.
            InputError: the name cannot be a file's name.
        """
        path = self.path / check_label(name, "name")
        with storing(path):
            write_atomic(path, text.encode("utf-8"))
        return path

    def steps(self) -> list[Step]:
        """List the finished and intact steps by label.

        Raises:
            StoreError: a step cannot be read.
        """
        with storing(self.path):
            found = [(path, self._examine(path)) for path in _step_folders(self.path)]
        return [_named(path, each.manifest) for path, each in found if each.manifest and not each.damage]

    def _examine(self, path: Path) -> Examined:
        result = examine(path, -1 if path in self._verified else BIG)
        if not result.damage:
            self._verified.add(path)
        return result

    def _record(self, label: str, seconds: float) -> None:
        path = self.path / TIMING
        times: dict[str, Any] = {}
        with suppress(OSError, ValueError, RecursionError):
            stored: Any = json.loads(read_bytes(path, _MAX_TIMES))
            times = cast(dict[str, Any], stored) if isinstance(stored, dict) else {}
        times[label] = round(seconds, 3)
        write_atomic(path, (json.dumps(times, indent=1) + "\n").encode())


def planned_folder(root: Path, name: str, spec: Mapping[str, Any]) -> Path:
    """Say which folder a run of this spec has or will have.

    Raises:
        InputError: the name cannot be a folder's name, or the spec is not plain JSON.
    """
    digest = hashlib.sha256(canonical_json(spec, name).encode()).hexdigest()
    return root / f"{check_label(name, 'name')}-{digest[:8]}"


def planned_state(
    folder: Path, wanted: Iterable[tuple[str, str, Mapping[str, Any]]]
) -> list[Literal["done", "missing"]]:
    """Say for each wanted step (kind, label, key) whether it is there and intact, without locking or changing anything.

    Raises:
        StoreError: a step cannot be read.
    """
    with storing(folder):
        planned = [locate(folder / _STEPS, *each) for each in wanted]
        return [
            "missing" if not os.path.lexists(step.path) or examine(step.path, BIG).damage else "done"
            for step in planned
        ]


@dataclass(frozen=True)
class FolderCheck:
    """What a run folder holds below `steps/`: every entry is in one of the three."""

    intact: list[Step]
    interrupted: list[str]
    """Begun and not finished."""
    damaged: dict[str, str]
    """Not what was finished, or nothing of Undertow's, with the reason."""


def check(path: Path) -> FolderCheck:
    """Hash every file of every step of a run folder, without locking or changing anything.

    Raises:
        StoreError: it is no run folder, or cannot be listed.
    """
    steps = path / _STEPS
    intact: list[Step] = []
    interrupted: list[str] = []
    damaged: dict[str, str] = {}
    with storing(path):
        if not os.path.lexists(path / SPEC):
            raise StoreError("is no run folder", str(path), "Name a folder that `undertow run` made.")
        if not os.path.lexists(steps):
            return FolderCheck([], [], {})  # killed right after it was made
        _require_folder(steps)
        for each in sorted(steps.iterdir()):
            if each.name.endswith(_PART):
                interrupted.append(each.name)
            elif not _STEP_NAME.fullmatch(each.name):
                damaged[each.name] = "it is no step"
            else:
                try:
                    manifest, damage = examine(each, hash_up_to=float("inf"))
                except OSError as error:
                    manifest, damage = None, f"it cannot be read ({error.strerror})"
                if manifest and not damage:
                    intact.append(_named(each, manifest))
                else:
                    damaged[each.name] = damage
    return FolderCheck(intact, interrupted, damaged)


def finished(path: Path, kinds: Collection[str]) -> list[tuple[Step, Manifest]]:
    """List the finished steps of some kinds by label, with what each holds, without locking or changing anything.

    Args:
        path: A run folder, or any folder that holds `steps/`; without one there are none.
        kinds: Sorts of steps.

    Raises:
        StoreError: one of them is damaged, or cannot be read.
    """
    found: list[tuple[Step, Manifest]] = []
    with storing(path):
        if not os.path.lexists(path / _STEPS):
            return []
        _require_folder(path / _STEPS)
        for each in _step_folders(path):
            manifest, damage = examine(each, hash_up_to=-1)
            if manifest is not None and manifest.kind not in kinds:
                continue
            if not damage:
                manifest, damage = examine(each, BIG)
            if manifest is None or damage:
                raise StoreError(f"is damaged: {damage}", str(each), "`undertow run` makes it again.")
            found.append((_named(each, manifest), manifest))
    return found


def _step_folders(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / _STEPS).iterdir() if _STEP_NAME.fullmatch(path.name))


def _named(path: Path, manifest: Manifest) -> Step:
    label, _, identity = path.name.rpartition("--")
    return Step(manifest.kind, label, identity, path)


def _require_folder(path: Path) -> None:
    # A stranger's run folder may hold links that lead out of it.
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise StoreError("is a link or no folder", str(path), "Remove it, or choose another folder.")


def _is_plain(folder: Path) -> bool:
    if not os.path.lexists(folder):
        return False
    try:
        list_files(folder)
    except StoreError:
        return False
    return True
