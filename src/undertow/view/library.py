"""The run folders below one folder: which there are, what became of them, and their files.

A name from outside (an address) is only ever compared with the names that were found here; it never becomes a path.
Links are not followed, neither in the walk nor when a file is opened, so nothing outside the folder is read, whatever
a run folder from elsewhere holds. It knows neither HTML nor addresses, and writes nothing.

    Library(Path("runs")).entries()
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final, Literal

from undertow.errors import StoreError, UndertowError
from undertow.report.verdict import primary_of
from undertow.results import MAX_BYTES, Effect, Results, parse_results
from undertow.stats.estimate import Status

RESULTS: Final = "results.json"
REPORT: Final = "report.html"
_LARGEST_REPORT: Final = 20_000_000
_DEEPEST: Final = 3
_MOST: Final = 5000
"""Folders that are looked at."""
_SIGNS: Final = ("spec.yaml", "steps")
"""A folder that holds one of these is a run that has not ended."""

State = Literal["done", "unfinished", "broken"]


@dataclass(frozen=True)
class Summary:
    """What the list shows of a run that ended."""

    title: str
    kind: str
    status: Status
    effect: Effect | None
    """The one that the verdict rests on, else the first that is named."""
    traits: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One run folder."""

    name: str
    """Path below the folder that is served, with slashes."""
    state: State
    says: str
    """Why it is not done; empty where it is."""
    changed: float
    """When it ended, or when the folder was last changed: seconds since 1970."""
    summary: Summary | None = None
    report: bool = False
    """It holds a report.html."""


@dataclass(eq=False)
class Library:
    """The folder that is served, with what was read of it: a results.json is parsed again only after it changed."""

    root: Path
    _known: dict[str, tuple[int, int, Entry]] = field(default_factory=dict[str, tuple[int, int, Entry]])
    _lock: Lock = field(default_factory=Lock)

    def entries(self) -> list[Entry]:
        """List the run folders by name; the folder itself where it is one.

        Raises:
            StoreError: the folder cannot be listed.
        """
        with self._lock:
            try:
                found = self._walk()
            except OSError as error:
                raise StoreError(
                    f"cannot be listed ({error.strerror})", str(self.root), "Name a folder of run folders."
                ) from error
            self._known = {name: known for name, known in self._known.items() if name in {e.name for e in found}}
            return sorted(found, key=lambda entry: entry.name)

    def find(self, name: str) -> Entry | None:
        """Return the run folder of a name, or None."""
        return next((entry for entry in self.entries() if entry.name == name), None)

    def results(self, entry: Entry) -> Results:
        """Read a run's results whole.

        Raises:
            StoreError: they cannot be read.
            InputError: they are no results.
        """
        return parse_results(self.results_bytes(entry), f"{entry.name}/{RESULTS}")

    def results_bytes(self, entry: Entry) -> bytes:
        """Read a run's results.json as it is.

        Raises:
            StoreError: it cannot be read.
        """
        return self._read(entry, RESULTS, MAX_BYTES)

    def report(self, entry: Entry) -> bytes:
        """Read a run's report.html as it is.

        Raises:
            StoreError: it cannot be read.
        """
        return self._read(entry, REPORT, _LARGEST_REPORT)

    def _read(self, entry: Entry, file: str, limit: int) -> bytes:
        try:
            return _read_below(self.root, (*self._parts(entry.name), file), limit)
        except OSError as error:
            raise StoreError(f"cannot be read ({error.strerror})", f"{entry.name}/{file}") from error

    def _parts(self, name: str) -> tuple[str, ...]:
        return () if _is_run(self.root) else tuple(name.split("/"))

    def _walk(self) -> list[Entry]:
        if _is_run(self.root):
            return [self._entry(self.root, self.root.resolve().name or "run")]
        found: list[Entry] = []
        waiting = [(self.root, "", 1)]
        measured_rows = 0
        while waiting:
            here, above, depth = waiting.pop()
            # One below that cannot be listed, or is gone meanwhile, does not hide the others.
            with suppress(OSError) if above else nullcontext(), os.scandir(here) as inside:
                for each in sorted(inside, key=lambda item: item.name):
                    name = f"{above}{each.name}"
                    if measured_rows == _MOST:
                        break
                    if each.name.startswith(".") or not _is_text(name):
                        continue
                    if each.is_symlink():
                        if each.is_dir():
                            found.append(Entry(name, "broken", "It is a link, which is not followed.", 0.0))
                        continue
                    if not each.is_dir(follow_symlinks=False):
                        continue
                    measured_rows += 1
                    path = here / each.name
                    if _is_run(path):
                        found.append(self._entry(path, name))
                    elif depth < _DEEPEST:
                        waiting.append((path, f"{name}/", depth + 1))
        return found

    def _entry(self, folder: Path, name: str) -> Entry:
        file = folder / RESULTS
        try:
            state = file.lstat()
        except OSError:
            return Entry(name, "unfinished", _progress(folder), folder.lstat().st_mtime)
        if not stat.S_ISREG(state.st_mode):
            return Entry(name, "broken", f"{RESULTS} is a link or no file.", state.st_mtime)
        known = self._known.get(name)
        report = _is_file(folder / REPORT)
        if known and known[:2] == (state.st_mtime_ns, state.st_size) and known[2].report == report:
            return known[2]
        entry = Entry(name, "done", "", state.st_mtime, report=report)
        try:
            entry = Entry(name, "done", "", state.st_mtime, _summary(self.results(entry)), report)
        except UndertowError as error:
            entry = Entry(name, "broken", f"{RESULTS}: {error.what}", state.st_mtime)
        self._known[name] = (state.st_mtime_ns, state.st_size, entry)
        return entry


def _summary(results: Results) -> Summary:
    every = [*results.effects, *results.findings]
    first = (results.findings or results.effects or [None])[0]
    return Summary(
        title=results.title or results.name,
        kind=results.kind,
        status=results.verdict.status,
        effect=primary_of(results) or first,
        traits=tuple(dict.fromkeys(effect.trait for effect in every)),
    )


def _is_run(folder: Path) -> bool:
    return any(os.path.lexists(folder / name) for name in (RESULTS, *_SIGNS))


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _is_text(name: str) -> bool:
    """Tell whether a file's name can be written as UTF-8: one of other bytes cannot be part of an address."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _progress(folder: Path) -> str:
    """Say how far a run that has no results came."""
    steps = folder / "steps"
    names: list[str] = []
    if not steps.is_symlink():
        with suppress(OSError):
            names = [each.name for each in os.scandir(steps)]
    begun = sum(name.endswith(".part") for name in names)
    finished = len(names) - begun
    ended = f"{finished:,} step{'' if finished == 1 else 's'} finished"
    return f"No results yet: {ended}, {begun:,} begun." if names else "No results yet: no step is finished."


def _read_below(root: Path, parts: tuple[str, ...], limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes; none of the names below `root` may be a link.

    Every folder is opened inside the one above it, so that a folder which becomes a link meanwhile leads nowhere.
    """
    if os.open not in os.supports_dir_fd:  # Windows, where a link needs a privilege to be made
        from undertow.store.files import read_bytes

        return read_bytes(root.joinpath(*parts), limit)
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inside = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inside
        # A pipe would be waited for without O_NONBLOCK.
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    finally:
        os.close(here)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EINVAL, f"longer than {limit:,} bytes")
    return data
