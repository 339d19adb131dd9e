"""What a benchmark returns, and how it takes time and memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measured:
    """One line of the table."""

    work: str
    against: str
    unit: str
    ours: float
    theirs: float
    at_least: float
    """The ratio that is aimed at."""
    same: str
    """What was checked to be the same in both."""
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs


class Watch:
    """Seconds of a block."""

    seconds: float = 0.0


@contextmanager
def timed(what: str) -> Generator[Watch]:
    """Time a block, and say on standard error how long it took."""
    watch = Watch()
    say(f"{what} ...")
    start = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - start
    say(f"{what}: {watch.seconds:.1f} s")


def say(text: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()


def peak_memory() -> int:
    """Return the largest memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def machine() -> str:
    """Name the processor, the number of cores and torch."""
    import torch

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    cores, level = len(os.sched_getaffinity(0)), torch.backends.cpu.get_cpu_capability()
    return f"{name}, {cores} cores, {level}, torch {torch.__version__}"
