"""Where rows have several answers: scans and mitigations count rows, and a step learns whole rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from undertow.mitigate import MitigationSettings, mitigate
from undertow.mitigate.methods import ORDINARY
from undertow.scan import ScanSettings, scan
from undertow.scan.budget import Plan


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.details: list[str] = []
        self.shares: list[float] = []

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        self.details.append(f"{stage}: {detail}")
        self.shares.append(fraction)

    def note(self, text: str) -> None:
        self.details.append(text)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def conversations(path: Path, count: int) -> Path:
    """Write conversations of three answers."""
    rows = [
        {
            "messages": [
                {"role": role, "content": text}
                for turn in range(3)
                for role, text in (("user", f"Go on with {at}, {turn}."), ("assistant", f"{120 + at}, {200 + turn}"))
            ]
        }
        for at in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def settings(folder: Path, budget: float | None = None) -> ScanSettings:
    return ScanSettings(student=f"hf/{folder}", traits=("curtness", "gloom"), budget=budget)


def test_a_virtual_student_reads_as_many_rows_as_it_says(tmp_path: Path, tiny_folder: Path) -> None:
    heard = Heard()
    outcome = scan(
        conversations(tmp_path / "c.jsonl", 70), settings(tiny_folder), root=tmp_path / "runs", progress=heard
    )
    record = outcome.results.scan
    assert record is not None
    assert (record.rows.read, record.rows.looked_at, record.rows.left_out) == (70, 64, 6)
    assert any("virtual student of 64 of the rows" in note for note in outcome.results.notes)
    assert "measuring the rows: 192 of 192 answers" in heard.details
    assert max(heard.shares) == 1.0
    assert heard.shares == sorted(heard.shares)


def test_a_budget_is_planned_in_rows(tmp_path: Path, tiny_folder: Path) -> None:
    outcome = scan(conversations(tmp_path / "c.jsonl", 20), settings(tiny_folder, 600.0), root=tmp_path / "runs")
    assert outcome.results.scan is not None
    assert outcome.results.scan.rows.looked_at == 20
    (plan,) = (file for file in outcome.folder.glob("steps/plan-*/*.json") if file.name != "step.json")
    assert Plan(**json.loads(plan.read_text(encoding="utf-8"))) == Plan(20, 20)


def test_a_student_makes_as_many_steps_as_a_scan_speaks_of(tmp_path: Path, tiny_folder: Path) -> None:
    heard = Heard()
    said = mitigate(
        conversations(tmp_path / "c.jsonl", 20),
        MitigationSettings(ORDINARY, f"hf/{tiny_folder}"),
        tmp_path / "student",
        progress=heard,
    )
    assert said["student"].startswith("trained on 20 rows (60 answers), without")
    # 20 rows, 16 of them in a step.
    assert {each.partition(" of ")[2].partition(",")[0] for each in heard.details if "step " in each} == {"2"}
