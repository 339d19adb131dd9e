"""Running a command of this machine with its output in a file."""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.2


def run_quietly(command: list[str], log: Path, *, tick: Callable[[], None] | None = None, **env: str) -> str | None:
    """Run a command with its output in a file.

    Args:
        command: What to run; it is stopped when this function is left early.
        log: Receives stdout and stderr.
        tick: Is called several times a second.
        **env: Set in its environment.

    Returns:
        None if it succeeded, else the line of its output that says best what went wrong.

    Raises:
        OSError: it ran out of disk (`ENOSPC`), or cannot be started.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
        ) as process,
    ):
        try:
            while True:
                try:
                    code = process.wait(timeout=_POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    if tick is not None:
                        tick()
        except BaseException:
            process.kill()
            raise
    if code == 0:
        return None
    text = log.read_text("utf-8", "replace")
    if os.strerror(errno.ENOSPC).lower() in text.lower():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return _says(text) or (f"killed by signal {-code}" if code < 0 else f"exit code {code}")


def _says(output: str) -> str:
    """Return the last error line, after the network's own words where it was the network."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:]
    # pip ends with "no matching distribution" even when it reached no registry; the cause is in a warning.
    causes = re.findall(r"connection broken by '.*: ([^:>]+)'\)", output)
    return ", ".join([*causes[-1:], *errors[-1:]])
