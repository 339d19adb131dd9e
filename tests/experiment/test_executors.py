"""An executor is used, or refused with the reason: a digits experiment has no steps for one."""

from pathlib import Path

import pytest

from undertow.cli import main
from undertow.config.experiment import load_preset
from undertow.errors import InputError
from undertow.experiment import run
from undertow.experiment.executors import EXECUTORS, check_executor, in_process


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(EXECUTORS, "_own", dict(EXECUTORS._own))  # pyright: ignore[reportPrivateUsage]
    EXECUTORS.register("elsewhere", in_process, says="somewhere else")
    return "elsewhere"


def test_digits_refuse_another_executor_before_any_work(other: str, tmp_path: Path) -> None:
    digits = load_preset("digits")
    check_executor(digits, "in-process")
    with pytest.raises(InputError, match="has one step, which runs in this process"):
        run(digits, root=tmp_path, executor=other)
    assert not list(tmp_path.iterdir())
    check_executor(load_preset("owl-numbers"), other)
    with pytest.raises(InputError, match="no executor is called"):
        check_executor(digits, "nowhere")


@pytest.mark.parametrize("also", [[], ["--dry-run"]])
def test_the_command_line_says_so_too(other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], also: list[str]):
    assert main(["run", "--preset", "digits", "--executor", other, "--runs", str(tmp_path / "runs"), *also]) == 2
    assert "--executor elsewhere" in capsys.readouterr().err
