"""What a run says of the machine that it ran on."""

import json
import re
import subprocess
import sys
from pathlib import Path

from undertow.store.machine import (
    _commit,  # pyright: ignore[reportPrivateUsage]
    _processor,  # pyright: ignore[reportPrivateUsage]
)


def test_environment_names_versions_and_machine_without_loading_torch():
    script = (
        "import json, sys; from undertow.store.machine import environment\n"
        "e = environment(threads=3)\n"
        "assert not {'torch', 'numpy', 'transformers'} & set(sys.modules); print(json.dumps(e))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["threads"] == 3
    assert found["cores"] >= 1
    assert found["processor"]
    assert found["packages"]["numpy"].count(".") == 2
    assert set(found) == {"python", "packages", "platform", "processor", "cores", "threads", "commit"}


def test_processor_is_read_from_the_kernel_and_else_asked_of_python(tmp_path: Path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("vendor_id\t: X\nmodel name\t: Fast CPU @ 3 GHz \nmodel name\t: other\n")
    assert _processor(cpuinfo) == "Fast CPU @ 3 GHz"
    assert _processor(tmp_path / "none")


def test_commit_is_that_of_undertows_own_checkout_only(tmp_path: Path):
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@y"]
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", ".")
    git("commit", "-m", "x")
    # Installed inside somebody else's repository, the commit would be theirs.
    assert _commit(tmp_path) is None
    (tmp_path / "src" / "undertow").mkdir(parents=True)
    clean = _commit(tmp_path)
    assert clean is not None
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "file").write_text("two")
    assert _commit(tmp_path) == clean + "-dirty"
