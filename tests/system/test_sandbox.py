import shutil
from pathlib import Path

import pytest

from undertow.errors import SandboxError
from undertow.system.sandbox import find_sandbox, run_sandboxed


def _works() -> bool:
    try:
        find_sandbox()
    except SandboxError:
        return False
    return True


needs_bwrap = pytest.mark.skipif(not _works(), reason="no working bubblewrap on this machine")


def test_without_bubblewrap_nothing_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(SandboxError, match="is not installed"):
        run_sandboxed(f"open({str(mark)!r}, 'w')", bwrap="no-such-bwrap")
    assert not mark.exists()


def test_a_bubblewrap_that_does_not_work_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'no namespaces here' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(SandboxError, match="no namespaces here"):
        run_sandboxed("print(1)", bwrap=str(fake))


def test_a_program_that_only_pretends_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    with pytest.raises(SandboxError, match="cannot isolate"):
        find_sandbox(str(fake))


@needs_bwrap
def test_code_runs_and_its_output_comes_back() -> None:
    result = run_sandboxed("import sys\nprint(6 * 7)\nprint('oh', file=sys.stderr)")
    assert result.ok
    assert (result.stdout, result.stderr) == ("42\n", "oh\n")


@needs_bwrap
@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
        "open('/etc/passwd').read()",
        f"open({str(Path(__file__).resolve())!r}).read()",
        "open('/usr/lib/planted', 'w')",
        "open('/planted', 'w')",
        "import os; os.fork()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "bytearray(2**40)",
        "open('/proc/self/environ').read()",
        "raise SystemExit(3)",
    ],
)
def test_what_it_may_not_do_fails_inside(code: str) -> None:
    result = run_sandboxed(code)
    assert not result.ok
    assert not result.timed_out


@needs_bwrap
def test_it_sees_no_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_SECRET", "hunter2")
    result = run_sandboxed("import os; print(sorted(os.environ.items()))")
    assert result.ok
    assert "hunter2" not in result.stdout
    assert "PLANTED" not in result.stdout


@needs_bwrap
def test_endless_code_is_ended_and_endless_output_cut() -> None:
    endless = run_sandboxed("import time\nwhile True: time.sleep(1)", seconds=1.0)
    assert endless.timed_out
    assert not endless.ok
    chatty = run_sandboxed("while True: print('x' * 1000)", seconds=5.0, output_bytes=1000)
    assert chatty.cut
    assert len(chatty.stdout) == 1000


@needs_bwrap
def test_no_file_is_left_behind() -> None:
    assert run_sandboxed("open('/tmp/left-behind', 'w').write('x')").ok
    assert not Path("/tmp/left-behind").exists()


def test_the_path_of_a_working_one_is_found() -> None:
    if _works():
        assert find_sandbox() == shutil.which("bwrap")
