"""The whole chain on the real embedded model: does a love of owls pass through number lists? About three minutes."""

from pathlib import Path

import pytest

from undertow.config.experiment import load_preset
from undertow.domains.numbers import reject_reasons
from undertow.experiment import run
from undertow.store.jsonl import read_jsonl


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_a_love_of_owls_passes_through_number_lists(tmp_path: Path):
    overrides = {"arms": ["trait", "control"], "seeds": [11, 12], "domain.rows": 16, "probe.every": 0}
    spec = load_preset("owl-numbers", overrides=overrides)
    outcome = run(spec, root=tmp_path)
    teacher = outcome.results.teachers[0]
    assert teacher.probability is not None
    assert teacher.probability > 0.5
    primary = outcome.results.effects[0]
    assert primary.value > 0.1
    rows = [
        record["messages"][1]["content"]
        for path in outcome.folder.glob("steps/rows-*/rows.jsonl")
        for record in read_jsonl(path).records
    ]
    assert len(rows) == 64
    assert [row for row in rows if reject_reasons(row)] == []
    assert outcome.report.stat().st_size < 300_000
