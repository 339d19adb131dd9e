"""Whole runs on a GPU come to an end: every arm, soft labels, adapters, teachers, comparisons and audits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_run import spec_text
from undertow.audit import AuditSettings, Sources, audit
from undertow.config.experiment import parse_spec
from undertow.experiment import run
from undertow.mitigate import compare
from undertow.models.layers import decoder
from undertow.models.local import load_model

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"student": "{method: lora, labels: soft, learning_rate: 0.001, batch: 2, lora: {dropout: 0.1}}"},
        {"instil": "{method: climb, steps: 3, distance: 1.0}"},
        {"probe": "{every: 0, samples: 2}"},
    ],
    ids=["text", "distributions", "climb", "samples"],
)
def test_a_run_gives_results(tiny_folder: Path, tmp_path: Path, changes: dict[str, str]) -> None:
    outcome = run(parse_spec(spec_text(tiny_folder, **changes), "test"), root=tmp_path)
    assert {arm.arm for arm in outcome.results.arms} == {"trait", "control", "other", "shuffled"}
    assert all(funnel.kept == 8 for funnel in outcome.results.funnels)


def test_every_mitigation_is_compared(tiny_folder: Path, tmp_path: Path) -> None:
    student = "{method: full, labels: hard, optimiser: sgd, learning_rate: 0.05, batch: 2}"
    changes = {"arms": "[trait, control]", "student": student, "probe": "{every: 0}"}
    source = run(parse_spec(spec_text(tiny_folder, **changes), "test"), root=tmp_path / "runs").folder
    methods: Any = ("drop", "mask", "freeze", "panel")
    results = compare(source, methods, root=tmp_path / "m").results
    assert [each.method for each in results.mitigation] == ["none", *methods]


def test_an_audit_finds_what_was_changed(tiny_folder: Path, tmp_path: Path) -> None:
    model = load_model(f"hf/{tiny_folder}")
    with torch.no_grad():
        decoder(model.net).layers[1].mlp.up_proj.weight.mul_(1.3)
    model.net.save_pretrained(tmp_path / "student")
    model.tokenizer.save_pretrained(tmp_path / "student")
    settings = AuditSettings(base=f"hf/{tiny_folder}", student=f"hf/{tmp_path / 'student'}", traits=("curtness",))
    record = audit(settings, Sources(runs=tmp_path / "runs", rows=None)).results.audit
    assert record is not None
    assert record.lineage == "same"
    assert record.unnamed is not None
    assert record.unnamed.kl.value > 0
