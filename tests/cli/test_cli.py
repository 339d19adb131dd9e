"""The command line as a whole: help, usage errors, what exceptions become, what is imported when."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from undertow import __version__, cli
from undertow.errors import AssetError, InputError, UndertowError

VERBS = ("run", "plan", "presets", "init", "report", "check", "rows", "traits", "assets")


def python(code: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make `undertow presets` raise what it is given."""

    def use(error: BaseException) -> None:
        def broken() -> list[str]:
            raise error

        monkeypatch.delenv("UNDERTOW_DEBUG", raising=False)
        monkeypatch.setattr("undertow.config.experiment.preset_names", broken)

    return use


def test_help_names_every_verb_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr()
    for verb in VERBS:
        assert f" {verb} " in said.out
    assert "4 inconclusive" in said.out
    assert said.err == ""


def test_no_verb_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "Experiment" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_every_verb_is_explained(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    rows = [line.strip("│ \n") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    options = [row for row in rows if row.startswith("-")]
    assert (options == []) is (verb == "presets")
    assert [row for row in options if len(row.split()) <= 3] == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"undertow {__version__}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rnu", 'Unknown command "rnu". Did you mean "run"?'),
        ("run --presett digits", "Unknown option: --presett. Did you mean --preset?"),
        ("plan --jsn", "Unknown option: --jsn. Did you mean --json?"),
        ("run --preset", "--preset requires an argument"),
        ("run a.yaml b.yaml", "unexpected words: b.yaml"),
        ("report", "RUN_FOLDER requires an argument"),
        ("run --no-json", "Unknown option: --no-json"),
    ],
)
def test_wrong_usage_exits_with_2_and_names_what_was_meant(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert message in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("is wrong", "a.yaml", "Mend it."), 2),
        (AssetError("is wrong", "a.yaml", "Mend it."), 3),
        (UndertowError("is wrong", "a.yaml", "Mend it."), 3),
    ],
)
def test_an_error_is_one_message_with_the_code_of_its_class(
    error: UndertowError, code: int, raising: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(error)
    assert cli.main(["presets"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "error: a.yaml: is wrong\n  Mend it.\n"


def test_an_error_cannot_steer_the_terminal(raising: Any, capsys: pytest.CaptureFixture[str]) -> None:
    raising(InputError("holds \x1b[2J\x07\r and \x9b31m"))
    cli.main(["presets"])
    said = capsys.readouterr().err
    assert said.rstrip("\n").isprintable()
    assert "holds" in said


def test_debugging_shows_the_traceback_and_keeps_the_code(
    raising: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(InputError("is wrong"))
    monkeypatch.setenv("UNDERTOW_DEBUG", "1")
    assert cli.main(["presets"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("error: is wrong\n")


def test_a_bug_is_called_one(raising: Any, capsys: pytest.CaptureFixture[str]) -> None:
    raising(KeyError("owl"))
    assert cli.main(["presets"]) == 70
    said = capsys.readouterr().err
    assert "a bug in Undertow: KeyError: 'owl'" in said
    assert "UNDERTOW_DEBUG=1" in said
    assert "Traceback" not in said


def test_an_interrupt_says_that_nothing_is_lost(raising: Any, capsys: pytest.CaptureFixture[str]) -> None:
    raising(KeyboardInterrupt())
    assert cli.main(["presets"]) == 130
    assert capsys.readouterr().err == "interrupted: the same command resumes it\n"


@pytest.mark.parametrize("line", ["presets", "assets --json", "--help"])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no closed pipes of this kind")
def test_a_reader_that_goes_away_is_no_finding_and_no_traceback(line: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "undertow", *line.split()],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141


def test_text_that_a_locale_cannot_write_does_not_break_a_pipe() -> None:
    code = (
        "from undertow.cli.streams import speak_utf8; from undertow.cli.show import say; speak_utf8(); say('−0.5 ± é')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=60,
        check=True,
    )
    assert done.stdout.decode("utf-8") == "−0.5 ± é\n"


def test_help_imports_no_library() -> None:
    done = python(
        "import json, sys\n"
        "from undertow.cli import main\n"
        "main(['--help'])\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "cyclopts" in loaded
    heavy = {"torch", "scipy", "transformers", "peft", "safetensors", "numpy", "pydantic", "yaml", "jinja2", "filelock"}
    assert not loaded & heavy


def test_importing_the_package_imports_no_command_line() -> None:
    done = python("import sys, undertow; sys.exit(bool({'cyclopts', 'rich', 'pydantic', 'numpy'} & set(sys.modules)))")
    assert done.returncode == 0


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "undertow", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"undertow {__version__}\n"
