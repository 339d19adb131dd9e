r"""Run a piece of Python that nobody has read: inside bubblewrap or not at all.

The code sees the interpreter, its standard library and the system's shared libraries, all read-only, an empty /tmp and
an empty home. It has no network, no environment, no other process, no /proc and no /dev; it cannot start a process;
time, memory and files are limited. Where `bwrap` is missing or may not make namespaces, `SandboxError` is raised and
nothing runs.

    run_sandboxed("print(6 * 7)").stdout  ->  "42\\n"

It is a fence for code that a model wrote, not for an attacker who holds a hole in the kernel. It knows no rows and no
models.
"""

from __future__ import annotations

import math
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Final

from undertow.errors import SandboxError

SECONDS: Final = 5.0
MEMORY_BYTES: Final = 256 * 2**20
FILE_BYTES: Final = 2**20
OUTPUT_BYTES: Final = 64 * 2**10
STARTUP_SECONDS: Final = 30.0
"""How long an empty program may take when the sandbox is tried."""

_FIX = "Install bubblewrap 0.7 or newer (apt-get install bubblewrap) where user namespaces are allowed."

# Reads the code from its input, so that no length limit of command lines applies. The limits are set here and not
# before bwrap, which would fall under them itself.
_STARTER = """
import resource as r, sys
cpu, memory, size = map(int, sys.argv[1:])
for kind, most in ((r.RLIMIT_CPU, cpu), (r.RLIMIT_AS, memory), (r.RLIMIT_FSIZE, size), (r.RLIMIT_NOFILE, 64),
                   (r.RLIMIT_NPROC, 32), (r.RLIMIT_CORE, 0)):
    r.setrlimit(kind, (most, most))
code = sys.stdin.buffer.read()
sys.argv[:] = ["snippet"]
exec(compile(code, "<snippet>", "exec", dont_inherit=True), {"__name__": "__main__"})
"""


@dataclass(frozen=True)
class SandboxResult:
    """What a run left behind."""

    exit_code: int
    """The program's; 128 and the signal's number if a signal ended it, as the limit of CPU time does."""
    stdout: str
    stderr: str
    timed_out: bool
    """The wall clock ended it."""
    cut: bool
    """There was more output than is kept."""
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether it came to its end without an error."""
        return self.exit_code == 0 and not self.timed_out


def run_sandboxed(
    code: str,
    *,
    seconds: float = SECONDS,
    memory_bytes: int = MEMORY_BYTES,
    file_bytes: int = FILE_BYTES,
    output_bytes: int = OUTPUT_BYTES,
    bwrap: str = "bwrap",
) -> SandboxResult:
    """Run code with this interpreter, isolated.

    Args:
        code: A Python program; whatever it is, it does not make this function raise.
        seconds: Wall clock, starting the interpreter included; CPU time is limited to the next whole second.
        memory_bytes: Address space of the process.
        file_bytes: Size of the largest file, and of everything in /tmp and in the home each. Output that goes beyond
            it fails with an error inside the code.
        output_bytes: What is kept of each of the two outputs.
        bwrap: Name or path of bubblewrap's program.

    Raises:
        SandboxError: there is no working bubblewrap. The code was not run.
    """
    path = find_sandbox(bwrap)
    source = code.encode("utf-8", "surrogatepass")
    limits = (math.ceil(seconds), memory_bytes, max(file_bytes, output_bytes + 1))
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(source)
        given.seek(0)
        started = time.monotonic()
        exit_code, timed_out = _run(path, limits, file_bytes, seconds, given, out, err)
        took = time.monotonic() - started
        (stdout, more_out), (stderr, more_err) = _first(out, output_bytes), _first(err, output_bytes)
    return SandboxResult(exit_code, stdout, stderr, timed_out, more_out or more_err, took)


def find_sandbox(bwrap: str = "bwrap") -> str:
    """Return the path of bubblewrap's program after it has run an empty program here once.

    Raises:
        SandboxError: it is missing, or cannot isolate anything on this machine.
    """
    path = shutil.which(bwrap)
    if path is None:
        raise SandboxError(f"{bwrap} is not installed, and code is not run without it", "sandbox", _FIX)
    _try_out(path)
    return path


@cache
def _try_out(path: str) -> None:
    # A failure raises and is therefore not remembered: it can be repaired while this process lives.
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(b"print(7 * 6)")
        given.seek(0)
        limits = (math.ceil(STARTUP_SECONDS), MEMORY_BYTES, FILE_BYTES)
        exit_code, timed_out = _run(path, limits, FILE_BYTES, STARTUP_SECONDS, given, out, err)
        if timed_out or exit_code or _first(out, 100)[0] != "42\n":
            said = _first(err, 500)[0].strip().splitlines()
            because = "it does not answer" if timed_out else (said[-1] if said else f"exit code {exit_code}")
            raise SandboxError(f"{path} cannot isolate code on this machine ({because})", "sandbox", _FIX)


def _run(
    path: str,
    limits: tuple[int, int, int],
    room: int,
    seconds: float,
    given: IO[bytes],
    out: IO[bytes],
    err: IO[bytes],
) -> tuple[int, bool]:
    with tempfile.TemporaryFile() as rules:
        rules.write(_no_new_processes())
        rules.seek(0)
        command = [path, *_isolation(room, rules.fileno()), "--", *_interpreter(), *map(str, limits)]
        try:
            # Outputs are files and not pipes: nothing has to be drained, and the limit of file size holds for them.
            process = subprocess.Popen(
                command,
                stdin=given,
                stdout=out,
                stderr=err,
                env={},
                cwd="/",
                pass_fds=(rules.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            raise SandboxError(f"{path} cannot be started ({error.strerror})", "sandbox", _FIX) from error
        try:
            return _exit_code(process.wait(seconds)), False
        except subprocess.TimeoutExpired:
            return 128 + signal.SIGKILL, True
        finally:
            # The kernel kills all that is inside when bwrap dies (--die-with-parent), on an interrupt too.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _exit_code(code: int) -> int:
    return 128 - code if code < 0 else code


def _first(file: IO[bytes], most: int) -> tuple[str, bool]:
    file.seek(0)
    data = file.read(most + 1)
    return data[:most].decode("utf-8", "replace"), len(data) > most


def _isolation(room: int, rules: int) -> Iterator[str]:
    yield from ("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv")
    yield from ("--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--hostname", "sandbox")
    yield from ("--seccomp", str(rules))
    for folder in _needed():
        yield from ("--ro-bind", folder, folder)
    for link in ("/lib", "/lib64"):
        # On most systems they are links into /usr.
        if Path(link).is_symlink():
            yield from ("--symlink", str(Path(link).readlink()), link)
        elif Path(link).is_dir():
            yield from ("--ro-bind", link, link)
    for folder in ("/tmp", "/home"):
        yield from ("--size", str(room), "--tmpfs", folder)
    # The root that bwrap builds can be written to, unless it is told otherwise.
    yield from ("--remount-ro", "/", "--chdir", "/tmp")
    for name, value in (("HOME", "/home"), ("LANG", "C.UTF-8"), ("PYTHONHASHSEED", "0")):
        yield from ("--setenv", name, value)


def _interpreter() -> list[str]:
    # No site packages, no folder of the code's on the path, no user's start-up files.
    return [str(Path(sys.executable).resolve()), "-s", "-S", "-P", "-B", "-X", "utf8", "-c", _STARTER]


def _needed() -> list[str]:
    """List what the interpreter is made of: its program, its library folders, the system's shared libraries."""
    base = Path(sys.base_prefix).resolve()
    library = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    folders = {Path("/usr/lib"), Path("/usr/lib64"), base / "lib", base / "lib64", *library}
    existing = sorted(folder for folder in folders if folder.is_dir())
    outer = [each for each in existing if not any(other in each.parents for other in existing)]
    return [str(Path(sys.executable).resolve()), *map(str, outer)]


# What the kernel calls this processor, and the numbers of its calls that only ever make processes.
_PROCESSORS = {"x86_64": (0xC000003E, 56, (57, 58)), "aarch64": (0xC00000B7, 220, ())}
_CLONE3: Final = 435
_CLONE_THREAD: Final = 0x10000


def _no_new_processes() -> bytes:
    """Return a seccomp filter that lets threads start and refuses processes.

    RLIMIT_NPROC does not bind root, and in most containers everybody is root.

    Raises:
        SandboxError: the filter for this processor is not known.
    """
    machine = platform.machine()
    if machine not in _PROCESSORS:
        raise SandboxError(f"no sandbox for the processor {machine!r}", "sandbox", "Use x86_64 or aarch64.")
    architecture, clone, forks = _PROCESSORS[machine]
    load, equal, at_least, any_bit, end = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, missing = 0x7FFF0000, 0x00050001, 0x00050026  # go on, EPERM, ENOSYS
    # Jumps are named here and counted below: (operation, value, where to if it holds, where to if not).
    program: list[tuple[int, int, str, str]] = [
        (load, 4, "", ""),
        (equal, architecture, "", "refuse"),
        (load, 0, "", ""),
        (at_least, 0x40000000, "refuse", ""),  # the same calls under other numbers (x32)
        *((equal, number, "refuse", "") for number in forks),
        (equal, _CLONE3, "missing", ""),  # its flags cannot be seen here; C libraries fall back on clone
        (equal, clone, "", "allow"),
        (load, 16, "", ""),
        (any_bit, _CLONE_THREAD, "allow", "refuse"),
    ]
    ends = {"allow": (0, allow), "refuse": (1, refuse), "missing": (2, missing)}

    def jump(index: int, name: str) -> int:
        return len(program) + ends[name][0] - index - 1 if name else 0

    lines = [
        struct.pack("=HBBI", operation, jump(index, yes), jump(index, no), value)
        for index, (operation, value, yes, no) in enumerate(program)
    ]
    return b"".join(lines) + b"".join(struct.pack("=HBBI", end, 0, 0, value) for _, value in ends.values())
