"""Run folders of every sort: ended, half finished, torn, linked."""

from pathlib import Path

import pytest

import stored_results
from undertow.results import Results, VerdictRecord


def write(folder: Path, results: Results) -> Path:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(results.to_json(), encoding="utf-8")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with two runs and a scan that ended, one of them deeper, and two that did not."""
    root = tmp_path / "runs"
    owl = stored_results.effect("owl", 0.54, 0.2, primary=True, p_adjusted=0.03, method="t interval, 95%")
    whale = stored_results.effect("whale", 0.1)
    write(root / "owls-11111111", stored_results.run(owl, status="fail", title="Do owls pass?"))
    other = owl.model_copy(update={"value": 0.2, "lo": 0.1, "hi": 0.3})
    settings = {"kind": "language", "trait": {"kind": "preference", "target": "whale"}, "seeds": [1, 2]}
    write(root / "later" / "again-22222222", stored_results.run(other, whale, title="Once more", settings=settings))
    write(root / "rows-33333333", stored_results.scan(status="inconclusive"))
    half = root / "half-44444444"
    (half / "steps" / "rows-trait-s0--000000000000").mkdir(parents=True)
    (half / "steps" / "rows-control-s0--111111111111.part").mkdir()
    (half / "spec.yaml").write_text("name: half\n")
    torn = root / "torn-55555555"
    torn.mkdir()
    (torn / "results.json").write_text('{"schema": 1,')
    return root


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A run beside the folder that is served."""
    results = Results(kind="run", name="secret", verdict=VerdictRecord(status="pass", because="nobody may see this"))
    return write(tmp_path / "elsewhere" / "secret-66666666", results)
