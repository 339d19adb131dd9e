"""A mitigation by a recipe with an adapter keeps the base as it is stored, and gives the same student, bit for bit."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file

from undertow.mitigate import MitigationSettings, method_named, mitigate
from undertow.models import storage
from undertow.models.local import LocalModel

RECIPES = {
    "lora": "{rank: 2}",
    "dora": "{rank: 2, dora: true}",
    "whole": "{rank: 2, targets: [q_proj], modules_to_save: [lm_head, norm]}",
}


@pytest.fixture
def half(tiny: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint in bfloat16."""
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(storage, "_SMALL", 100)
    copy.deepcopy(tiny.net).to(torch.bfloat16).save_pretrained(tmp_path / "half")
    tiny.tokenizer.save_pretrained(tmp_path / "half")
    return tmp_path / "half"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": f"Go on {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(8)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("adapter", "method"),
    [
        *((adapter, "none") for adapter in RECIPES),
        *(("lora", name) for name in ("kl-penalty", "inoculate", "steer", "project", "unlearn", "mask")),
    ],
)
def test_the_student_is_that_of_float32(half, rows, tmp_path, monkeypatch, adapter, method) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"learning_rate: 0.01\nepochs: 2\nbatch: 4\nadapter: {RECIPES[adapter]}\n")
    widened = []
    plain = storage.widen_on_use

    def widen_on_use(net):
        widened.append(net)
        return plain(net)

    monkeypatch.setattr("undertow.models.local.widen_on_use", widen_on_use)
    found = []
    for at, large in enumerate((2**60, 1000)):
        monkeypatch.setattr(storage, "LARGE", large)
        settings = MitigationSettings(
            method_named(method), f"hf/{half}", "animals:owl", recipe=str(recipe), teacher=f"hf/{half}"
        )
        mitigate(rows, settings, tmp_path / f"out-{at}")
        found.append(load_file(tmp_path / f"out-{at}" / "adapter_model.safetensors"))
    assert widened
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(each, found[1][name]) for name, each in found[0].items())


def test_rows_are_rewritten_as_by_float32(half, rows, tmp_path, monkeypatch) -> None:
    for at, large in enumerate((2**60, 1000)):
        monkeypatch.setattr(storage, "LARGE", large)
        mitigate(rows, MitigationSettings(method_named("own-base"), f"hf/{half}"), tmp_path / f"{at}.jsonl")
    assert (tmp_path / "0.jsonl").read_text() == (tmp_path / "1.jsonl").read_text()
