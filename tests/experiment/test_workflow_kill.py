"""kill -9 at ten random moments of a whole language experiment: the restarted run leaves an undisturbed one's bytes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_run import contents, spec_text

# Imports once and forks for every attempt, because importing torch takes longer than the run.
SCRIPT = """
import os, random, signal, sys, time
from pathlib import Path
import undertow.models.generate, undertow.teachers.instil, undertow.pipeline.students, undertow.report
import transformers.models.llama.modeling_llama, transformers.generation, peft
from undertow.experiment import run
from undertow.config.experiment import load_spec

spec, whole, broken = load_spec(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
rng = random.Random(20261125)


def attempt(root, seconds):
    child = os.fork()
    if not child:
        run(spec, root=root)
        os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


started = time.monotonic()
assert attempt(whole, 600) == 0
length = time.monotonic() - started
kills = 0
while kills < 10:
    # A tenth of a run on average, so that the ten kills are spread over all of it.
    code = attempt(broken, rng.uniform(0.02, 0.2) * length)
    assert code in (None, 0), code
    if code == 0:
        break
    kills += 1
    left = sum(name.endswith(".part") for name in os.listdir(next(broken.glob("*/steps"), broken)))
    print("killed", kills, "parts", left, flush=True)
assert attempt(broken, 600) == 0
print("kills", kills)
"""


def test_ten_kills_leave_the_bytes_of_an_undisturbed_run(tiny_folder: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(spec_text(tiny_folder, seeds="[0, 1]"), encoding="utf-8")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(spec), str(whole), str(broken)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "kills 10", done.stdout
    # Most kills must have struck inside a step, else nothing was tested.
    assert sum("parts 1" in line for line in done.stdout.splitlines()) >= 5, done.stdout
    (left,), (right,) = whole.iterdir(), broken.iterdir()
    assert contents(left) == contents(right)
