"""`undertow gate` as it is typed, and the script of examples/ci that calls it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from stored_results import effect, finding, run, scan
from undertow.cli import main
from undertow.results import Results

CI = Path(__file__).parents[2] / "examples" / "ci"
RULES = "traits: [{trait: '*', largest_shift: 0.2}]\n"


@pytest.fixture
def stored(tmp_path: Path):
    def store(results: Results, name: str = "run") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_text(results.to_json(), encoding="utf-8")
        return folder

    return store


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("results", "strict", "code"),
    [
        (run(), False, 0),
        (run(), True, 0),
        (run(effect(value=0.5)), False, 1),
        (run(effect(half=0.5)), False, 4),
        (run(effect(half=0.5)), True, 1),
        (scan(), False, 0),
        (scan(finding("animals:owl", 0.5)), False, 1),
        (scan(status="inconclusive"), False, 4),
    ],
)
def test_exit_codes(results: Results, strict: bool, code: int, stored: Any, policy: Path) -> None:
    more = ["--strict"] if strict else []
    folder = stored(results)
    assert main(["gate", str(folder), "--policy", str(policy), *more]) == code
    assert main(["gate", str(folder / "results.json"), *more]) == code, "the default policy asks the same of these"


def test_each_rule_is_told_with_its_reason(stored: Any, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["gate", str(stored(run(effect(value=0.5), status="inconclusive"))), "--policy", str(policy)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "FAIL"
    assert lines[1] == "fail          traits: * at most 0.2 log-odds"
    assert "+0.5 log-odds (+0.45 to +0.55) lies beyond 0.2" in lines[2]
    assert lines[3] == "inconclusive  verdict: pass"


def test_json_holds_outcomes_and_policy(stored: Any, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", str(stored(scan())), "--policy", str(policy), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["result"] == {"kind": "scan", "name": "rows.jsonl"}
    assert told["status"] == "pass"
    assert [rule["status"] for rule in told["rules"]] == ["pass", "pass"]
    assert told["policy"]["traits"][0]["largest_shift"] == 0.2


def test_junit_is_written_whatever_the_outcome(stored: Any, tmp_path: Path) -> None:
    file = tmp_path / "gate.xml"
    assert main(["gate", str(stored(run(effect('<b>&"', 0.5)))), "--junit", str(file)]) == 1
    root = ElementTree.parse(file).getroot()
    assert root.get("failures") == "1"
    assert '<b>&"' in (next(root.iter("failure")).text or "")


def test_a_strangers_text_adds_no_line(stored: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main(["gate", str(stored(run(effect("owl\npass  everything\x1b[2J", 0.5))))])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if line.startswith("pass  everything")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "results.json"),
        ("[" * 100_000, "results.json"),
        ('{"schema": 1}', "Field required"),
        ('{"schema": 2}', "results.json"),
        (run().to_json().replace('"value":0.0', '"value":NaN').replace('"value": 0.0', '"value": NaN'), "results.json"),
        (run().to_json()[:-20], "results.json"),
    ],
)
def test_broken_results_are_refused(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.json").write_text(text, encoding="utf-8")
    assert main(["gate", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_used_exits_with_2(
    stored: Any, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(stored(run()))
    unknown = tmp_path / "unknown.yaml"
    unknown.write_text("verdit: pass", encoding="utf-8")
    for more, message in [
        (["--policy", str(tmp_path / "absent.yaml")], "cannot be read"),
        (["--policy", str(unknown)], "did you mean 'verdict'?"),
        (["--junit", str(tmp_path)], "is a folder"),
        (["--junit", str(tmp_path / "absent" / "gate.xml")], "lies in no folder"),
        (["--junit", f"{folder}/results.json"], "is a file that is read"),
        (["--policy", str(policy), "--junit", str(policy)], "is a file that is read"),
    ]:
        assert main(["gate", folder, *more]) == 2
        assert message in capsys.readouterr().err
    assert policy.read_text("utf-8") == RULES
    assert main(["gate", str(tmp_path / "absent")]) == 2


def test_every_output_is_written_where_it_is_asked_for(stored: Any, tmp_path: Path) -> None:
    names = {"junit": "gate.xml", "sarif": "gate.sarif", "bom": "bom.json", "card": "card.md"}
    options = [word for option, name in names.items() for word in (f"--{option}", str(tmp_path / name))]
    folder = stored(run(effect(value=0.5)))
    assert main(["gate", str(folder), *options, "--inspect", str(tmp_path / "a" / "logs")]) == 1
    for name in names.values():
        assert (tmp_path / name).stat().st_size > 100
    assert [path.name for path in (tmp_path / "a" / "logs").iterdir()] == ["effects.eval"]


def test_a_signed_bundle_is_written_and_verified(
    stored: Any, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cryptography")
    key, place = tmp_path / "gate.key", tmp_path / "gate"
    assert main(["keygen", str(key)]) == 0
    words = ["gate", str(stored(run())), "--policy", str(policy), "--write", str(place), "--sign", str(key)]
    assert main(words) == 0
    assert main(words) == 0, "the same folder again"
    assert f"{place}, signed" in capsys.readouterr().out
    assert (place / "policy.yaml").read_text("utf-8") == RULES
    asked = ["verify", str(place), "--key", f"{key}.pub"]
    assert main(asked) == 0
    assert main(asked[:2]) == 4
    assert main([*asked[:2], "--strict"]) == 1
    capsys.readouterr()
    report = place / "report.html"
    report.write_bytes(report.read_bytes().replace(b"owl", b"cat", 1))
    assert main(asked) == 1
    assert "report.html: was changed" in capsys.readouterr().out
    assert main([*asked, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["changed"] == {"report.html": "was changed"}
    for words, message in [
        (["gate", str(place), "--sign", str(key)], "needs --write"),
        (["gate", str(place), "--write", str(tmp_path)], "holds other files"),
        (["gate", str(place), "--write", str(tmp_path / "x"), "--sign", str(key) + ".pub"], "no private key"),
        (["gate", str(place), "--rows", str(tmp_path / "absent")], "is not there"),
        (["gate", str(place), "--rows", str(report)], "is for results about a dataset"),
        (["gate", str(place), "--sarif", str(place / "results.json")], "is a file that is read"),
        (["verify", str(tmp_path / "absent")], "is not there"),
        (["verify", str(tmp_path)], "cannot be read"),
        (["verify", str(place), "--key", str(key)], "no public key"),
        (["keygen", str(key)], "is there already"),
        (["keygen", str(tmp_path / "absent" / "key")], "lies in no folder"),
    ]:
        assert main(words) == 2, words
        assert message in capsys.readouterr().err


def test_results_are_held_to_the_dataset_they_are_about(
    stored: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({"prompt": f"p{at}", "completion": f"c{at}"}) + "\n" for at in range(90)]
    rows.write_text("".join(lines), encoding="utf-8")
    about = {"rows": "rows.jsonl", "rows_digest": "0123456789abcdef", "student": "embedded/smollm2-135m"}
    known = {"rows_sha256": hashlib.sha256(rows.read_bytes()).hexdigest()}
    folder = stored(scan().model_copy(update={"settings": about, "environment": known}))
    words = ["gate", str(folder), "--rows", str(rows), "--bom", str(tmp_path / "bom.json")]
    assert main(words) == 0
    (data,) = [
        each
        for each in [json.loads((tmp_path / "bom.json").read_text())["metadata"]["component"]]
        if each["type"] == "data"
    ]
    assert data["hashes"][0]["content"] == hashlib.sha256(rows.read_bytes()).hexdigest()
    # One letter of one row, whether a scan would look at it or not.
    rows.write_text("".join(lines).replace("c89", "c98"), encoding="utf-8")
    assert main(words) == 2
    assert "is not, byte by byte, the dataset" in capsys.readouterr().err


# examples/ci


@pytest.fixture
def script(tmp_path: Path):
    """Call the script; `undertow scan` answers with stored results, every other verb is the real one."""
    command = tmp_path / "undertow"
    command.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "if sys.argv[1] == 'scan':\n"
        "    rows = pathlib.Path(sys.argv[2])\n"
        "    print(rows.read_text())\n"
        "    sys.exit(int(rows.suffix[1:]))\n"
        "from undertow.cli import main\n"
        "sys.exit(main())\n",
        encoding="utf-8",
    )
    command.chmod(0o755)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"UNDERTOW": str(command), "REPORTS": str(tmp_path / "reports")}
        return subprocess.run(
            [str(CI / "gate-dataset.sh"), *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


needs_a_shell = pytest.mark.skipif(os.name == "nt", reason="a shell script")


@needs_a_shell
def test_the_script_gates_stored_results(script: Any, stored: Any, tmp_path: Path) -> None:
    good, bad = stored(run(), "good"), stored(run(effect(value=0.5)), "bad run")
    assert script("--result", str(good)).returncode == 0
    done = script("--result", str(bad), str(good))
    assert done.returncode == 1, done.stderr
    assert "lies beyond" in done.stdout
    files = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert files == ["1-bad_run", "1-good", "2-good"]
    assert ElementTree.parse(tmp_path / "reports" / "1-bad_run" / "gate.junit.xml").getroot().get("failures") == "1"


@needs_a_shell
def test_the_script_scans_then_gates_and_keeps_the_worst_code(script: Any, tmp_path: Path) -> None:
    # The stand-in ends with the code that is the file's ending.
    for name, results in [
        ("fine.0", scan()),
        ("found.1", scan(finding("animals:owl", 0.5), status="fail")),
        ("-unclear.4", scan(status="inconclusive")),
        ("broken.2", scan()),
    ]:
        (tmp_path / name).write_text(results.to_json(), encoding="utf-8")
    for names, code in [
        (["fine.0"], 0),
        (["-unclear.4", "fine.0"], 4),
        (["-unclear.4", "found.1"], 1),
        (["found.1", "-unclear.4"], 1),
        (["found.1", "broken.2", "fine.0"], 2),
        ([], 2),
        (["--result"], 2),
    ]:
        done = script(*names)
        assert done.returncode == code, (names, done.stdout, done.stderr)
    log = json.loads((tmp_path / "reports" / "1-found.1" / "gate.sarif").read_text("utf-8"))["runs"][0]
    assert {each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in log["results"]} == {
        "found.1"
    }
    assert Results.model_validate_json((tmp_path / "reports" / "1-found.1.results.json").read_text("utf-8"))


def test_workflow_and_hook_call_the_script() -> None:
    workflow = yaml.safe_load((CI / "github-workflow.yml").read_text("utf-8"))
    commands = [step.get("run", "") for step in workflow["jobs"]["gate"]["steps"]]
    assert any("ci/gate-dataset.sh" in command for command in commands)
    assert not [command for command in commands if "${{" in command], "an expression in a command is an injection"
    (repository,) = yaml.safe_load((CI / "pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repository["hooks"][0]["entry"] == "ci/gate-dataset.sh"


@needs_a_shell
def test_the_hook_stops_a_push_of_rows_that_fail(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pre_commit")
    place = tmp_path / "repository"
    for folder in ("data", "ci"):
        (place / folder).mkdir(parents=True)
    for name in ("gate-dataset.sh", "policy.yaml"):
        (place / "ci" / name).write_bytes((CI / name).read_bytes())
    (place / "ci" / "gate-dataset.sh").chmod(0o755)
    # The stand-in for a scan ends with the code that is the file's ending, so the hook is asked for that file.
    config = (CI / "pre-commit-config.yaml").read_text("utf-8").replace(r"\.jsonl$", r"\.[01]$")
    (place / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    (place / "data" / "found.1").write_text(
        scan(finding("animals:owl", 0.5), status="fail", lineage="same").to_json(), encoding="utf-8"
    )
    monkeypatch.setenv("UNDERTOW", str(tmp_path / "undertow"))
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for words in (["git", "init", "-q"], ["git", "add", "."]):
        subprocess.run(words, cwd=place, check=True)
    hook = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--hook-stage", "pre-push"]
    done = subprocess.run(hook, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "lies beyond" in done.stdout
    subprocess.run(["git", "rm", "-q", "--cached", "data/found.1"], cwd=place, check=True)
    (place / "data" / "fine.0").write_text(scan(lineage="same").to_json(), encoding="utf-8")
    subprocess.run(["git", "add", "data/fine.0"], cwd=place, check=True)
    done = subprocess.run(hook, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
