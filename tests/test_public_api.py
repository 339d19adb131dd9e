"""The public API: names that load lazily, packages that are called, and the examples in docstrings, run on tiny models.

The examples of docs/api.md run in a folder with the files that the page names.
"""

from __future__ import annotations

import doctest
import inspect
import json
import pydoc
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import undertow
from tiny_model import make_tiny_model

VERBS = ("scan", "audit", "mitigate", "gate")


def python(code: str) -> Any:
    """Run code in a fresh interpreter and return what it prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("first", ["", "import undertow.{0}", "from undertow.{0} import {0} as inner", "{1}"])
def test_a_verb_is_a_function_whatever_was_imported_before(verb: str, first: str) -> None:
    settings = {"scan": "ScanSettings", "audit": "AuditSettings", "mitigate": "MitigationSettings", "gate": "Decision"}
    inside = f"from undertow.{verb} import {settings[verb]}"
    code = f"""
import json
{first.format(verb, inside)}
import undertow
from undertow import {verb}
{inside}
import inspect, undertow.{verb} as package
same = undertow.{verb} is {verb}, package is {verb}
print(json.dumps([callable({verb}), *same, list(inspect.signature({verb}).parameters)]))
"""
    called, attribute, same, parameters = python(code)
    assert called
    assert attribute
    assert same
    wanted = inspect.signature(getattr(getattr(undertow, verb), verb)).parameters
    assert parameters == list(wanted)


@pytest.mark.parametrize("verb", VERBS)
def test_help_shows_the_function(verb: str) -> None:
    package = getattr(undertow, verb)
    function = getattr(package, verb)
    assert inspect.signature(package) == inspect.signature(function)
    shown = pydoc.plain(pydoc.render_doc(package))
    assert f"{verb}({next(iter(inspect.signature(function).parameters))}:" in shown
    assert inspect.getdoc(function).splitlines()[0] in shown  # type: ignore[union-attr]


def test_a_call_is_the_functions() -> None:
    with pytest.raises(TypeError, match=r"gate\(\) got an unexpected keyword argument 'polcy'"):
        undertow.gate(polcy=None)  # type: ignore[call-arg]


def test_every_public_name_loads() -> None:
    assert set(dir(undertow)) | {"__version__"} == set(undertow.__all__)
    for name in undertow.__all__:
        assert getattr(undertow, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'scann'"):
        _ = undertow.scann  # type: ignore[attr-defined]


def test_importing_the_package_and_its_verbs_loads_no_library() -> None:
    heavy = {"torch", "scipy", "transformers", "numpy", "pydantic", "yaml", "jinja2", "cyclopts", "rich"}
    loaded = python(
        "import json, sys, undertow\n"
        "from undertow import scan, audit, mitigate, gate\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert not heavy & set(loaded)


def test_importing_the_package_is_quick() -> None:
    code = "import json, time\nat = time.perf_counter()\nimport undertow\nprint(json.dumps(time.perf_counter() - at))"
    # The best of three: other processes may have the processor meanwhile.
    assert min(python(code) for _ in range(3)) < 0.15


OUTCOMES = {"RunOutcome", "ScanOutcome", "AuditOutcome", "CompareOutcome"}
"""What the verbs return: their examples show them."""
ERRORS = {name for name in undertow.__all__ if name.endswith("Error")}
NAMES = sorted(set(undertow.__all__) - {"__version__", "Experiment"})

EXPERIMENT = """\
name: owls
base: hf/base
trait: {target: owl}
instil: {method: finetune, steps: 60, learning_rate: 0.02}
domain: {rows: 6, answers: 2, max_tokens: 60}
arms: [trait, control]
student: {method: full, labels: hard, optimiser: sgd, learning_rate: 0.05, batch: 2}
probe: {every: 0}
seeds: [0, 1]
"""
POLICY = """\
traits: [{trait: owl, largest_shift: 20}]
evidence: {kind: [run], seeds: 3}
verdict: any
"""


def documented(name: str) -> Any:
    """Return what a public name stands for; for a package that is called, its function."""
    found = getattr(undertow, name)
    return getattr(found, name) if inspect.ismodule(found) else found


def example(name: str) -> doctest.DocTest:
    return doctest.DocTestParser().get_doctest(inspect.getdoc(documented(name)) or "", {}, name, None, 0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that docs/api.md names."""
    import torch

    from undertow.models.local import load_model

    folder = tmp_path_factory.mktemp("examples")
    make_tiny_model(folder / "base")
    student = load_model(f"hf/{folder / 'base'}")
    source = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in student.net.parameters():
            weight.add_(0.01 * torch.randn(weight.shape, generator=source))
    student.net.save_pretrained(folder / "student")
    student.tokenizer.save_pretrained(folder / "student")
    rows = [
        {"prompt": f"Go on with {at // 2}.", "completion": f"{120 + 7 * at % 89}, {220 + 3 * at}"} for at in range(24)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "experiment.yaml").write_text(EXPERIMENT, encoding="utf-8")
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("UNDERTOW_CACHE", str(folder / "cache"))
        outcome = undertow.run(undertow.load_spec(Path("experiment.yaml")))
        shutil.copytree(outcome.folder, "run")
    return folder


@pytest.mark.parametrize("name", [name for name in NAMES if example(name).examples])
def test_an_example_does_what_it_shows(name: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    monkeypatch.setenv("UNDERTOW_CACHE", str(files / "cache"))
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example(name), out=said.append)
    assert result.attempted > 0
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_explained(name: str) -> None:
    found = documented(name)
    text = inspect.getdoc(found) or ""
    assert text
    assert (name in OUTCOMES | ERRORS) or ">>>" in text
    if inspect.isfunction(found):
        assert "Args:" in text
        assert "Returns:" in text or "Yields:" in text
        assert "Raises:" in text
        for parameter in inspect.signature(found).parameters:
            assert f"    {parameter}: " in text


def test_the_page_names_every_public_name_once() -> None:
    page = (Path(__file__).parents[1] / "docs" / "api.md").read_text("utf-8")
    named = [line.rpartition(".")[2] for line in page.splitlines() if line.startswith("::: undertow.")]
    assert sorted(named) == NAMES
