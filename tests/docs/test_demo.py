"""What README shows of `make demo` is what the committed run says."""

from __future__ import annotations

from pathlib import Path

from undertow.cli.run import _effect
from undertow.results import load_results

ROOT = Path(__file__).parents[2]


def test_the_demo_of_the_readme_is_the_committed_run() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = [line.split() for line in readme.splitlines() if line.startswith("    ")]
    results = load_results(ROOT / "experiments" / "demo" / "results.json")
    assert results.verdict.status == "fail"
    assert len(results.effects) == 5
    for effect in results.effects:
        assert " ".join(_effect(effect)).split() in shown
