"""The process's own streams: closed ones, full ones, and ones that nobody reads any more.

A closed stream is one that nobody listens to: what is written there goes nowhere, and the exit code keeps its meaning.
A stream that cannot be written, such as a full disk behind it, is the surroundings' fault and no bug.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Final, TextIO

_SURROUNDINGS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EBADF, errno.ENXIO)
"""What the system says of an output that it cannot take."""


def open_closed_streams() -> None:
    """Let the closed ones of the three standard streams go nowhere.

    A file that is opened later would otherwise get the number of a closed stream, and with it what is written there.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is not None:
            continue
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            # Open as long as the process is, as every standard stream.
            stream = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def speak_utf8() -> None:
    """Write UTF-8 into files and pipes, and to a terminal nothing that it cannot show."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")


def cannot_write(error: OSError) -> str | None:
    """Return the message about an output that the system cannot take; None where the error is another one."""
    if error.errno not in _SURROUNDINGS:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return f"error: {where}the output cannot be written ({error.strerror})"


def settle() -> OSError | None:
    """Write out what is still held back, and return why that is impossible, if it is.

    What a stream does not take goes nowhere afterwards. Python would otherwise try again when it ends, and put an exit
    code of its own in the place of ours.
    """
    wrong: OSError | None = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            wrong = wrong or error
            _silence(stream)
    return wrong


def _silence(stream: TextIO) -> None:
    """Let what is still to be written to a stream go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
