"""The example package, installed without pip: what it adds is used by `run` and `mitigate` as if it were ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")

from fake_plugin import install
from stored_results import run
from tiny_run import spec_text
from undertow.cli import main
from undertow.config.experiment import LanguageExperiment, parse_spec
from undertow.doctor import examine
from undertow.errors import SpecError
from undertow.mitigate.prepare import Task, prepare
from undertow.models.local import LocalModel
from undertow.pipeline.arms import traits_of
from undertow.pipeline.keys import domain_key
from undertow.results import load_results
from undertow.store.jsonl import read_jsonl
from undertow.system import registry
from undertow.training.train import Example
from undertow.traits.panel import load_panel

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"
DICE = "{kind: dice, rows: 4, max_tokens: 12, options: {throws: 4}, judge: {kind: many-sixes, options: {most: 2}}}"


def install_example(folder: Path, version: str | None = None) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    install(folder, project["name"], version or project["version"], project["entry-points"])


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    install_example(tmp_path / "site")
    for folder in (EXAMPLE / "src", tmp_path / "site"):
        monkeypatch.syspath_prepend(str(folder))
    registry._entry_points.cache_clear()
    yield tmp_path
    registry._entry_points.cache_clear()


def spec_of(text: str) -> LanguageExperiment:
    spec = parse_spec(text, "test")
    assert isinstance(spec, LanguageExperiment)
    return spec


def test_a_run_writes_about_dice_and_asks_the_judge(example: Path, tiny_folder: Path) -> None:
    path = example / "dice.yaml"
    path.write_text(spec_text(tiny_folder, domain=DICE, arms="[trait, control, shuffled]"), "utf-8")
    assert main(["run", str(path), "--runs", str(example / "runs"), "--quiet"]) == 4
    (folder,) = (example / "runs").iterdir()
    results = load_results(folder)
    assert results.environment["plugins"] == {"undertow-dice": "0.1.0"}
    assert any("throws of dice" in arm.says for arm in results.arms)
    answers = {
        arm: [
            record["messages"][-1]["content"]
            for rows in sorted(folder.glob(f"steps/rows-{arm}-s*/rows.jsonl"))
            for record in read_jsonl(rows).records
        ]
        for arm in ("trait", "shuffled")
    }
    assert len(answers["trait"]) == 8
    for text in answers["trait"]:
        assert len(text.split()) == 4
        assert set(text) <= set("123456 ")
        assert text.count("6") <= 2
    assert [sorted(text) for text in answers["shuffled"]] == [sorted(text) for text in answers["trait"]]


def test_its_version_is_part_of_what_rows_depend_on(
    example: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(spec_text(tiny_folder, domain=DICE))
    key = domain_key(spec, traits_of(spec))
    assert key["plugin"] == key["judge"]["plugin"] == {"package": "undertow-dice", "version": "0.1.0"}
    assert key["constrained"] is True
    (example / "site" / "undertow_dice-0.1.0.dist-info").rename(example / "site" / "old")
    install_example(example / "site", "0.2.0")
    registry._entry_points.cache_clear()
    assert domain_key(spec, traits_of(spec))["plugin"]["version"] == "0.2.0"


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("{kind: dise}", "domain.kind cannot be 'dise'\n  did you mean 'dice'?"),
        ("{kind: dice, options: {throw: 4}}", "options.throw: Extra inputs are not permitted (did you mean 'throws'?)"),
        ("{kind: dice, options: {throws: 0}}", "options.throws: Input should be greater than or equal to 2"),
        ("{judge: {kind: many-sixs}}", "domain.judge.kind cannot be 'many-sixs'\n  did you mean 'many-sixes'?"),
    ],
)
def test_what_does_not_fit_is_said(example: Path, domain: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(spec_text(example, domain=domain), "test")
    assert message in str(caught.value)


def test_rows_go_through_its_mitigation(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = example / "rows.jsonl"
    lines = [{"prompt": "Throw.", "completion": " ".join("1" * count)} for count in (1, 2, 3, 4)]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    out = example / "kept.jsonl"
    assert main(["mitigate", str(rows), "--with", "drop-short", "-o", str(out), "--quiet"]) == 0
    assert "2 of 4 rows after drop-short" in capsys.readouterr().out
    kept = [json.loads(line)["messages"][-1]["content"] for line in out.read_text("utf-8").splitlines()]
    assert kept == ["1 1 1", "1 1 1 1"]
    assert main(["mitigate", "--list"]) == 0
    assert "leaves out the shorter half" in capsys.readouterr().out


def test_a_student_is_trained_on_what_its_mitigation_leaves(example: Path, tiny: LocalModel) -> None:
    prompt = tuple(tiny.encode_question("Throw."))
    told = [Example(prompt, (*tiny.encode("1" * count), tiny.end)) for count in (1, 2, 3)]
    trait = load_panel(("animals",))[0].traits[0]
    task = Task(tiny, [[{"role": "user", "content": "Throw."}]] * 3, told, trait, lambda: tiny, False)
    assert prepare("drop-short", task).examples == told[1:]


def test_the_doctor_says_where_things_come_from(example: Path) -> None:
    install(example / "site", "bad-dice", "3", {"undertow.domains": {"loaded": "no_such_module:Dice"}})
    registry._entry_points.cache_clear()
    found = {each.name: each for each in examine()}
    assert found["domains"].value == "numbers, code, reasoning, pairs (undertow); dice (undertow-dice 0.1.0)"
    assert "drop-short (undertow-dice 0.1.0)" in found["mitigations"].value
    assert "no_such_module" in found["domain loaded"].value
    assert "bad-dice" in found["domain loaded"].fix


def test_a_gate_loads_no_plugin(tmp_path: Path) -> None:
    groups = ("domains", "traits", "teachers", "models", "judges", "scan_methods", "mitigations", "executors")
    install(tmp_path, "bad-plugin", "1", {f"undertow.{group}": {"bad": "bad_plugin:bad"} for group in groups})
    (tmp_path / "bad_plugin.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'loaded')!r}).touch()\nraise SystemExit(9)\n", "utf-8"
    )
    settings = {"kind": "language", "domain": {"kind": "bad"}, "instil": {"method": "bad"}}
    (tmp_path / "results.json").write_text(run(settings=settings).to_json(), "utf-8")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "undertow", "gate", str(tmp_path / "results.json")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "loaded").exists()
