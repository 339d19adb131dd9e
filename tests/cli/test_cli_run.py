"""`undertow run` and `undertow plan`: which experiment is meant, what is printed, the exit code.

The experiment itself is a stand-in that remembers what it was asked for.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from undertow import cli
from undertow.cli.run import _show
from undertow.config.experiment import LanguageExperiment, load_preset
from undertow.errors import TeacherError
from undertow.results import Effect, Interval, Results, TimesAsOften, VerdictRecord
from undertow.system.progress import Progress

SPEC = "name: owls\ntrait: {target: owl}\nother: {target: cat}\ninstil: {method: steer}\n"
METHOD = "t interval over 3 seeds and 50 questions, 95%"


class PlannedStep(BaseModel):
    kind: str
    label: str
    state: Literal["done", "missing"]
    seconds: float


class Plan(BaseModel):
    name: str = "owls"
    folder: str = "runs/owls-1a2b3c4d"
    steps: list[PlannedStep] = [
        PlannedStep(kind="rows", label="rows-trait-s0", state="done", seconds=75.0),
        PlannedStep(kind="student", label="student-trait-s0", state="missing", seconds=4.0),
    ]
    seconds: float = 720.0
    seconds_left: float = 645.0
    speed_says: str = "measured on this machine"
    tokens_written: int = 9728
    tokens_trained: int = 19456
    disk_bytes: int = 1_234_567
    smallest_effect: float | None = 0.21
    unit: str = "log-odds"
    power_says: str = "seen four times in five with 3 seeds"
    notes: list[str] = ["The weights are decoded from 4 bits."]


def effect(name: str, value: float, *, primary: bool = False, p: float | None = 0.012) -> Effect:
    arm, _, contrast = name.partition(":")[0].partition("-")
    return Effect(
        name=name,
        arm=arm,
        contrast=contrast,
        trait="owl",
        value=value,
        lo=value - 0.2,
        hi=value + 0.2,
        n=3,
        seeds=3,
        p=p,
        p_adjusted=None if p is None else 2 * p,
        method=METHOD,
        primary=primary,
    )


def results(status: str) -> Results:
    return Results(
        kind="run",
        name="owls",
        verdict=VerdictRecord(status=status, because="preference for owls: +0.54 log-odds."),  # type: ignore[arg-type]
        effects=[effect("trait-control:owl", 0.54, primary=True), effect("shuffled-control:owl", -0.1, p=None)],
    )


@dataclass
class Library:
    """Stands in for `undertow.experiment`."""

    outcome: Results
    asked: list[tuple[Any, Path]] = field(default_factory=list)

    def run(self, spec: Any, *, root: Path, progress: Progress | None = None, executor: str = "") -> Any:
        assert progress is not None
        assert executor == "in-process"
        self.asked.append((spec, root))
        progress.update("student-trait-s0", 0.5)
        progress.note("a step is made again")
        folder = root / "owls-1a2b3c4d"
        return SimpleNamespace(folder=folder, results=self.outcome, report=folder / "report.html")

    def plan(self, spec: Any, *, root: Path) -> Plan:
        self.asked.append((spec, root))
        return Plan()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Library:
    made = Library(results("fail"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("undertow.experiment.run", made.run, raising=False)
    monkeypatch.setattr("undertow.experiment.plan", made.plan, raising=False)
    Path("owls.yaml").write_text(SPEC, encoding="utf-8")
    return made


@pytest.mark.parametrize(
    ("status", "strict", "code"),
    [
        ("pass", False, 0),
        ("pass", True, 0),
        ("fail", False, 1),
        ("fail", True, 1),
        ("inconclusive", False, 4),
        ("inconclusive", True, 1),
    ],
)
@pytest.mark.parametrize("json", [False, True])
def test_the_exit_code_is_the_verdict(status: str, strict: bool, code: int, json: bool, library: Library) -> None:
    library.outcome = results(status)
    assert cli.main(["run", "owls.yaml", *["--strict"] * strict, *["--json"] * json]) == code


@pytest.mark.parametrize("status", ["pass", "fail", "inconclusive"])
def test_the_verdict_is_printed_in_words_with_its_reason(
    status: str, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    library.outcome = results(status)
    cli.main(["run", "owls.yaml"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == status.upper()
    assert "preference for owls: +0.54 log-odds." in lines
    others = {"PASS", "FAIL", "INCONCLUSIVE"} - {status.upper()}
    assert not others & set(lines)


def test_the_effects_and_the_report_are_printed_plainly(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["run", "owls.yaml", "--out", "deep/er"])
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["effect", "value", "95%", "interval", "unit", "p", "p", "(Holm)", "seeds"] in rows
    row = ["trait-control:owl", "*", "+0.54", "+0.34", "to", "+0.74", "log-odds", "0.012", "0.024", "3"]
    assert row in rows
    assert ["shuffled-control:owl", "−0.10", "−0.30", "to", "+0.10", "log-odds", "—", "—", "3"] in rows
    assert out.endswith(f"report: {Path('deep/er/owls-1a2b3c4d/report.html')}\n")
    assert library.asked[0][1] == Path("deep/er")
    assert "\x1b" not in out


def test_how_many_times_as_often_is_printed_with_what_its_interval_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ratio = Interval(value=3.96, lo=3.41, hi=4.6, n=3, method="t interval over 3 teachers x 54 questions, 95%")
    times = TimesAsOften(ratio=ratio, share=0.0424, contrast_share=0.0107, base_share=0.0107)
    sampled = times.model_copy(update={"ratio": None})
    found = results("fail")
    measured = found.effects[0].model_copy(update={"times": times, "sampled_times": sampled})
    update = {"effects": [measured, *found.effects[1:]], "elevation": ratio}
    _show(found.model_copy(update=update), Path("report.html"))
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert f"{measured.name} 1.1% 1.1% 4.2% 3.96 (3.41 to 4.60)".split() in lines
    assert f"{measured.name}, sampled 1.1% 1.1% 4.2% too seldom".split() in lines
    assert "times as often: t interval over 3 teachers x 54 questions, 95%" in out
    assert "The trait stands +3.96 log-odds" in out
    _show(found, Path("report.html"))
    assert "times as often" not in capsys.readouterr().out


def test_no_cell_is_cut_where_nobody_watches(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    name = "trait-control:" + "owl" * 100
    library.outcome = results("fail").model_copy(update={"effects": [effect(name, 0.5)]})
    cli.main(["run", "owls.yaml"])
    assert f"{name}  " in capsys.readouterr().out


def test_no_cell_is_cut_on_a_narrow_terminal(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("undertow.cli.show._watched", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    cli.main(["run", "owls.yaml"])
    out = capsys.readouterr().out
    assert "trait-control:owl *" in out
    assert "+0.34 to +0.74" in out
    assert "…" not in out


def test_names_in_results_cannot_steer_the_terminal(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    library.outcome = results("fail").model_copy(update={"effects": [effect("a\x1b]0;x\x07\nb [bold]c[/bold]", 0.5)]})
    cli.main(["run", "owls.yaml"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[bold]c[/bold]" in out


def test_json_is_the_results_file_alone(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["run", "owls.yaml", "--json"])
    said = capsys.readouterr()
    assert said.out == library.outcome.to_json()
    assert "student-trait-s0" in said.err


def test_progress_goes_to_stderr_and_can_be_silenced(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["run", "owls.yaml"])
    said = capsys.readouterr()
    assert "a step is made again" in said.err
    assert "a step is made again" not in said.out
    cli.main(["run", "owls.yaml", "--quiet"])
    assert capsys.readouterr().err == ""


def test_a_run_that_breaks_off_exits_with_3(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise TeacherError("says owl with 0.02")

    monkeypatch.setattr("undertow.experiment.run", refuse)
    assert cli.main(["run", "owls.yaml", "--json"]) == 3
    assert capsys.readouterr().out == ""


def test_a_preset_is_run_by_its_name(library: Library) -> None:
    cli.main(["run", "--preset", "digits"])
    assert library.asked[0] == (load_preset("digits"), Path("runs"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("run", "no experiment is named"),
        ("plan", "no experiment is named"),
        ("run owls.yaml --preset digits", "both the file owls.yaml and the preset 'digits'"),
        ("run digits", "Did you mean --preset digits?"),
        ("run --preset digit", "did you mean 'digits'?"),
        ("run absent.yaml", "absent.yaml: cannot be read"),
        ("run owls.yaml --set epochs", "--set: 'epochs' is no setting"),
        ("run owls.yaml --set =2", "--set: '=2' is no setting"),
        ("run owls.yaml --set student.=2", "--set: 'student.=2' is no setting"),
        ("run owls.yaml --set seeds=[1", "--set seeds, line 1: is not YAML"),
        ("run owls.yaml --set student.epoch=2", "did you mean 'epochs'?"),
        ("run owls.yaml --seeds 0,one", "--seeds: '0,one' is no list of whole numbers"),
        ("run owls.yaml --seeds 1,1", "owls.yaml with seeds overridden"),
    ],
)
def test_a_wrong_choice_exits_with_2_before_anything_runs(
    line: str, message: str, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert library.asked == []


def test_no_experiment_lists_the_presets(library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["run"])
    assert "digits" in capsys.readouterr().err


def test_settings_and_seeds_take_the_place_of_the_files(library: Library) -> None:
    line = "run owls.yaml --set student.epochs=2 --set instil={method:\x00prompt} --seeds 3,4"
    cli.main([word.replace("\x00", " ") for word in line.split(" ")])
    spec = library.asked[0][0]
    assert isinstance(spec, LanguageExperiment)
    assert (spec.student.epochs, spec.instil.method, spec.seeds) == (2, "prompt", (3, 4))


@pytest.mark.parametrize("line", ["plan owls.yaml", "run owls.yaml --dry-run"])
def test_a_plan_says_what_will_run_and_what_it_takes(
    line: str, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines]
    assert lines[0] == "owls: 2 steps, 1 done, in runs/owls-1a2b3c4d"
    assert ["rows-trait-s0", "rows", "done", "1", "min", "15", "s"] in rows
    assert ["student-trait-s0", "student", "to", "do", "4.0", "s"] in rows
    assert "time    12 min 0 s, 10 min 45 s of it left (measured on this machine)" in lines
    assert "tokens  9,728 written by teachers, 19,456 trained on by students" in lines
    assert "disk    1.2 MB" in lines
    assert "power   smallest effect 0.21 log-odds: seen four times in five with 3 seeds" in lines
    assert "note    The weights are decoded from 4 bits." in lines


@pytest.mark.parametrize("line", ["plan owls.yaml --json", "run owls.yaml --dry-run --json"])
def test_a_plan_as_json(line: str, library: Library, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(line.split()) == 0
    assert json.loads(capsys.readouterr().out) == Plan().model_dump()
