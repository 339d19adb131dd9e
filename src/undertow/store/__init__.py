"""Run folders: each step is made once, kept intact, and made again if its files are damaged.

    folder.py   `RunFolder`: locks, steps, and what is left of a run that was killed; `check`
    reuse.py    steps taken over from other run folders
    record.py   `stored`: a step that holds one value
    spec.py     the spec of a run folder
    step.py     the identity of a step, and the list of its files
    files.py    atomic writes, hashes, listings without links
    jsonl.py    lines that may be cut off
    machine.py  versions and hardware of a run
    _lock.py    the lock of a run folder

This package does not know what a step computes. The public names load on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undertow.system.lazy import lazy

if TYPE_CHECKING:
    from undertow.store.folder import RunFolder, check
    from undertow.store.jsonl import append_jsonl, read_jsonl
    from undertow.store.machine import environment

__all__ = ["RunFolder", "append_jsonl", "check", "environment", "read_jsonl"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "environment": "machine",
        "RunFolder": "folder",
        "check": "folder",
        "append_jsonl": "jsonl",
        "read_jsonl": "jsonl",
    },
)
