"""The public API: names that load lazily, packages that are called, and the examples in docstrings, run on tiny models.

The examples of docs/api.md run in a folder with the files that the page names.
"""

from __future__ import annotations

import inspect
import json
import pydoc
import subprocess
import sys
from typing import Any

import pytest

import undertow

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
