"""What a run ran on: versions, processor, threads, the commit of a source checkout. No secrets.

Every value is asked for by name. Environment variables, command lines, user names and host names are never
read, so that a token in the environment cannot reach a run folder.
"""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("undertow", "numpy", "scipy", "torch", "transformers", "peft", "safetensors")


def environment(threads: int | None = None) -> dict[str, Any]:
    """Describe the machine and the software, without importing any of it.

    Args:
        threads: How many threads the numeric libraries were told to use. The caller passes it, because asking
            torch would give another answer in a process that found every step done and never loaded torch.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "threads": threads,
        "commit": _commit(Path(__file__).resolve().parents[3]),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    # A container or a batch system may grant fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    named = re.search(r"^model name\s*:\s*(.+?)\s*$", text, re.MULTILINE)
    return named[1] if named else platform.processor() or platform.machine()


def _commit(checkout: Path) -> str | None:
    """Name a source checkout's commit, with `-dirty` when files differ from it; None if installed."""
    if not (checkout / ".git").exists() or not (checkout / "src" / "undertow").is_dir():
        return None
    import subprocess

    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    named = re.fullmatch(r"[0-9a-f]{40,64}(-dirty)?", done.stdout.strip())
    return named[0] if named else None
