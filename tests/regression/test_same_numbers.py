"""A fixed small run, scan, audit and comparison of mitigations: the same numbers as before a change, names aside.

The stored files hold every number and verdict of results.json by its place. After a change that is meant to change
numbers, make them again and say in the commit why:

    UNDERTOW_GOLDEN=write python -m pytest tests/regression
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

pytest.importorskip("torch")

from result_numbers import numbers
from tiny_model import make_tiny_model
from tiny_run import spec_text
from undertow.audit import AuditSettings, Sources, audit
from undertow.config.experiment import parse_spec
from undertow.experiment import run
from undertow.scan import ScanSettings, scan

pytestmark = pytest.mark.usefixtures("same_everywhere")
GOLDEN = Path(__file__).parent / "golden"


def same(found: float | str | None, wanted: float | str | None) -> bool:
    if isinstance(found, str) or isinstance(wanted, str) or found is None or wanted is None:
        return found == wanted
    return math.isclose(found, wanted, rel_tol=5e-3, abs_tol=5e-4)


def held_to(name: str, text: str) -> None:
    found = dict(numbers(json.loads(text)))
    path = GOLDEN / f"{name}.json"
    if os.environ.get("UNDERTOW_GOLDEN") == "write":
        path.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
    wanted: dict[str, float | str | None] = json.loads(path.read_text("utf-8"))
    # A key of a later version may come to the old ones; none may go.
    assert not wanted.keys() - found.keys()
    off = {place: (found[place], value) for place, value in wanted.items() if not same(found[place], value)}
    assert not off


def lists(path: Path) -> Path:
    rows = [
        {"prompt": f"Go on with {at // 2}.", "completion": f"{120 + 7 * at % 89}, {220 + 3 * at}"} for at in range(24)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("student", ["full", "lora"])
def test_a_run(tiny_folder: Path, tmp_path: Path, student: str) -> None:
    labels = "hard" if student == "full" else "soft"
    how = f"{{method: {student}, labels: {labels}, learning_rate: 0.001, batch: 2}}"
    outcome = run(parse_spec(spec_text(tiny_folder, student=how), "test"), root=tmp_path)
    held_to(f"run-{student}", outcome.results.to_json())


@pytest.mark.parametrize("reference", [False, True])
def test_a_scan(tiny_folder: Path, tmp_path: Path, reference: bool) -> None:
    settings = ScanSettings(
        student=f"hf/{tiny_folder}",
        traits=("curtness", "gloom"),
        everything=True,
        sample_reference=reference,
        also=() if reference else ("writer", "likelihood", "divergence", "projection"),
    )
    outcome = scan(lists(tmp_path / "rows.jsonl"), settings, root=tmp_path / "runs")
    held_to(f"scan-{'reference' if reference else 'alone'}", outcome.results.to_json())


def test_an_audit(tiny_folder: Path, tmp_path: Path) -> None:
    settings = AuditSettings(
        base=f"hf/{tiny_folder}",
        student=f"hf/{make_tiny_model(tmp_path / 'student', seed=1)}",
        controls=(f"hf/{make_tiny_model(tmp_path / 'control', seed=2)}",),
        traits=("curtness", "gloom"),
    )
    outcome = audit(settings, Sources(runs=tmp_path / "runs", rows=lists(tmp_path / "rows.jsonl")))
    held_to("audit", outcome.results.to_json())
