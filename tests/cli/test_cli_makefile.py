"""The Makefile: its help, and what the exit codes of `undertow` mean to `make demo`. Nothing is installed here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or not (ROOT / "Makefile").exists(), reason="needs GNU make and a checkout"
)


def make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Make an environment that looks installed, with an `undertow` that writes down what it is asked for."""
    (tmp_path / "bin").mkdir()
    for stamp in (".made", ".local", ".dev"):
        (tmp_path / stamp).touch()
    return tmp_path


def _undertow(environment: Path, code: int) -> None:
    script = environment / "bin" / "undertow"
    script.write_text(f'#!/bin/sh\necho "$@" > {environment}/asked\necho report: runs/x/report.html\nexit {code}\n')
    script.chmod(0o755)


def test_make_alone_lists_every_target() -> None:
    done = make()
    assert done.returncode == 0, done.stderr
    for target in ("setup", "demo", "digits", "test", "lint", "docs", "clean"):
        assert f"\nmake {target} " in f"\n{done.stdout}"


@pytest.mark.parametrize(("target", "preset"), [("demo", "owl-numbers"), ("digits", "digits")])
@pytest.mark.parametrize(("code", "fails"), [(0, False), (1, False), (2, True), (3, True), (4, True), (130, True)])
def test_a_trait_that_gets_through_is_no_failure_of_make_and_an_error_is(
    target: str, preset: str, code: int, fails: bool, environment: Path
) -> None:
    _undertow(environment, code)
    done = make(target, f"VENV={environment}")
    assert (done.returncode != 0) == fails, done.stderr
    assert (environment / "asked").read_text() == f"run --preset {preset} --out runs\n"
    assert "report: runs/x/report.html" in done.stdout


def test_the_demo_can_be_another_preset_with_settings_of_its_own(environment: Path) -> None:
    _undertow(environment, 1)
    chosen = ("DEMO=owl-numbers-teachers", "DEMO_ARGS=--seeds 281 --set teachers=1")
    assert make("demo", f"VENV={environment}", *chosen).returncode == 0
    asked = "run --preset owl-numbers-teachers --out runs --seeds 281 --set teachers=1\n"
    assert (environment / "asked").read_text() == asked


def test_a_changed_requirement_is_installed_again(environment: Path) -> None:
    stamp = environment / ".local"
    old = (ROOT / "pyproject.toml").stat().st_mtime - 10
    os.utime(stamp, (old, old))
    done = make("--dry-run", "demo", f"VENV={environment}")
    assert "pip" in done.stdout
    os.utime(stamp)
    assert "pip" not in make("--dry-run", "demo", f"VENV={environment}").stdout
