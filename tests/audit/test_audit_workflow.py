"""A whole audit on tiny models: zeros where nothing changed, strangers, broken students, adapters, rows, same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tiny_model import make_tiny_model, make_twin
from undertow.audit import AuditOutcome, AuditSettings, Sources, audit, difference
from undertow.audit.texts import UNRELATED
from undertow.errors import InputError, ModelError
from undertow.models.layers import decoder
from undertow.models.local import LocalModel, load_model
from undertow.results import load_results

TRAITS = ("curtness", "gloom")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def changed(source: Path, target: Path, change: Callable[[Any], None]) -> Path:
    """Save a model after a change of its weights."""
    model = load_model(f"hf/{source}")
    with torch.no_grad():
        change(model.net)
    model.net.save_pretrained(target)
    model.tokenizer.save_pretrained(target)
    return target


def noisy(scale: float, seed: int = 3) -> Callable[[Any], None]:
    def change(net: Any) -> None:
        source = torch.Generator().manual_seed(seed)
        for weight in net.parameters():
            weight.add_(scale * torch.randn(weight.shape, generator=source))

    return change


def look(base: Path, student: Path | str, tmp_path: Path, rows: Path | None = None, **settings: Any) -> AuditOutcome:
    name = student if isinstance(student, str) else f"hf/{student}"
    return audit(
        AuditSettings(base=f"hf/{base}", student=name, **{"traits": TRAITS} | settings),
        Sources(runs=tmp_path / "runs", rows=rows),
    )


def test_the_base_beside_a_twin_is_zero_throughout(tmp_path: Path, tiny_folder: Path) -> None:
    twin = make_twin(tiny_folder, tmp_path / "twin")
    outcome = look(tiny_folder, twin, tmp_path, traits=("animals", *TRAITS))
    results = outcome.results
    assert results.verdict.status == "pass"
    assert len(results.findings) == 14
    assert all((each.value, each.lo, each.hi, each.p) == (0, 0, 0, 1) for each in results.findings)
    record = results.audit
    assert record is not None
    assert record.lineage == "same"
    assert all(each.value == 0 for each in record.capability)
    moved = {each.part for each in record.weights if each.relative > 0 and "layer" not in each.part}
    assert moved == {"self_attn.q_proj", "self_attn.k_proj"}
    assert record.unnamed is not None
    assert record.unnamed.kl.value == 0
    assert record.unnamed.tokens == record.unnamed.steered == []
    assert all(each.p == 1 for each in record.unnamed.clusters)
    assert load_results(outcome.folder) == results
    assert "The student beside its base" in outcome.report.read_text(encoding="utf-8")


def test_a_little_noise_is_no_trait(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "noisy", noisy(1e-5))
    results = look(tiny_folder, student, tmp_path).results
    assert results.verdict.status == "pass"
    assert results.audit is not None
    assert results.audit.unnamed is not None
    assert 0 <= results.audit.unnamed.kl.value < 1e-4
    assert all(0 < each.relative < 1e-3 for each in results.audit.weights)


def test_another_model_is_no_student_of_this_base(tmp_path: Path, tiny_folder: Path) -> None:
    stranger = make_tiny_model(tmp_path / "stranger", seed=7)
    results = look(tiny_folder, stranger, tmp_path).results
    assert results.verdict.status == "inconclusive"
    assert "does not come from this base" in results.verdict.because
    assert results.audit is not None
    assert results.audit.lineage == "different"


def test_a_student_that_fell_apart_is_called_broken(tmp_path: Path, tiny_folder: Path) -> None:
    def spoil(net: Any) -> None:
        decoder(net).norm.weight.mul_(40.0)

    results = look(tiny_folder, changed(tiny_folder, tmp_path / "spoilt", spoil), tmp_path).results
    assert results.audit is not None
    assert "perplexity" in results.audit.broken
    assert results.verdict.status == "fail"
    assert results.verdict.because.startswith("The student is broken")


def test_a_change_shows_in_the_panel_and_beside_it(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    outcome = look(tiny_folder, student, tmp_path)
    unnamed = outcome.results.audit and outcome.results.audit.unnamed
    assert unnamed
    assert unnamed.kl.lo > 0
    assert len(unnamed.layers) == 2
    assert all(each.up and each.down for each in unnamed.layers)
    assert {each.trait for each in unnamed.steered} == {"curtness:curtness", "gloom:gloom"}
    assert all(each.lo <= each.change <= each.hi and 0 < each.p <= 1 for each in unnamed.tokens)
    assert sum(each.size for each in unnamed.clusters) <= unnamed.prompts
    assert "no control" in unnamed.null


def test_the_control_is_subtracted(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    twin = make_twin(student, tmp_path / "twin")
    results = look(tiny_folder, student, tmp_path, controls=(f"hf/{twin}",)).results
    assert results.verdict.status == "inconclusive"  # one control shows no spread
    assert all((each.value, each.p, each.contrast) == (0, 1, "control") for each in results.findings)
    assert "one control" in results.findings[0].method
    assert results.audit is not None
    unnamed = results.audit.unnamed
    assert unnamed is not None
    assert unnamed.kl_control == unnamed.kl
    assert unnamed.tokens == []
    assert all(each.relative == 0 for each in unnamed.layers)
    assert "control student" in unnamed.null


def test_the_base_answers_unrelated_prompts_once(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, ask = list[int](), difference.base_answers

    def counted(base: LocalModel, prompts: Sequence[str]) -> list[list[int]]:
        answered.append(len(prompts))
        return ask(base, prompts)

    monkeypatch.setattr(difference, "base_answers", counted)
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    controls = [changed(tiny_folder, tmp_path / f"control-{at}", noisy(0.02, seed=at)) for at in (4, 5)]
    results = look(tiny_folder, student, tmp_path, controls=tuple(f"hf/{each}" for each in controls)).results
    assert results.audit is not None
    assert results.audit.unnamed is not None
    assert "mean of 2 control students" in results.audit.unnamed.null
    assert answered == [len(UNRELATED)]


def test_what_controls_differ_by_enters_the_intervals(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    controls = [changed(tiny_folder, tmp_path / f"control-{at}", noisy(0.02, seed=at)) for at in (4, 5, 6)]
    none = look(tiny_folder, student, tmp_path).results
    assert none.verdict.status == "inconclusive"
    assert "Any training shifts traits" in none.verdict.because
    several = look(tiny_folder, student, tmp_path, controls=tuple(f"hf/{each}" for each in controls)).results
    assert several.audit is not None
    assert several.audit.controls == [f"hf/{each}" for each in controls]
    assert several.audit.unnamed is not None
    assert "mean of 3 control students" in several.audit.unnamed.null
    assert any("moderated t against 3 controls" in each.method for each in several.findings)
    assert "spread between controls" in several.notes[0]
    assert "questions as the draws" in none.notes[0]
    assert min(each.p or 0 for each in several.findings) > min(each.p or 0 for each in none.findings)


def test_the_same_audit_makes_nothing_again(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    first = look(tiny_folder, student, tmp_path)
    steps = {file: file.stat().st_mtime_ns for file in first.folder.glob("steps/*/*")}
    assert steps
    assert look(tiny_folder, student, tmp_path).results == first.results
    assert {file: file.stat().st_mtime_ns for file in first.folder.glob("steps/*/*")} == steps
    before = (first.folder / "results.json").read_bytes()
    for step in first.folder.glob("steps/*"):
        if step.name.startswith(("unnamed", "panel-student")):
            shutil.rmtree(step)
    look(tiny_folder, student, tmp_path)
    assert (first.folder / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("controls", "named"),
    [
        (["near", "near"], ("control-1", "student")),
        (["other", "base"], ("control-2", "base")),
        (["other", "other"], ("control-2", "control-1")),
        (["copy"], ("control-1", "student")),
        (["touched"], ("control-1", "student")),
    ],
    ids=lambda value: "-".join(value),
)
def test_one_model_under_two_names_is_refused(
    tmp_path: Path, tiny_folder: Path, controls: list[str], named: tuple[str, str]
) -> None:
    near = changed(tiny_folder, tmp_path / "near", noisy(0.002))
    known = {"base": tiny_folder, "near": near}
    if "other" in controls:
        known["other"] = changed(tiny_folder, tmp_path / "other", noisy(0.002, seed=4))
    known["copy"] = shutil.copytree(near, tmp_path / "copy")
    # Other files that say the same: neither names nor the files' hashes tell.
    known["touched"] = shutil.copytree(near, tmp_path / "touched")
    config = known["touched"] / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"note": "saved again"}))
    with pytest.raises(InputError, match="are the same model") as caught:
        look(tiny_folder, near, tmp_path, controls=tuple(f"hf/{known[each]}" for each in controls))
    assert all(each in caught.value.what for each in named)
    assert caught.value.exit_code == 2


def test_the_student_is_not_the_base(tmp_path: Path, tiny_folder: Path) -> None:
    from undertow.config.experiment import Lora
    from undertow.training.lora import add_lora, save_adapter

    with pytest.raises(InputError, match="student and the base"):
        look(tiny_folder, tiny_folder, tmp_path)
    # An adapter that was never trained changes nothing.
    save_adapter(add_lora(load_model(f"hf/{tiny_folder}").net, Lora(rank=2, alpha=2), 0), tmp_path / "adapter")
    with pytest.raises(InputError, match="student and the base"):
        look(tiny_folder, f"hf/{tiny_folder}:{tmp_path / 'adapter'}", tmp_path)


def test_a_teacher_is_set_beside_the_student(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    twin = make_twin(student, tmp_path / "twin")
    results = look(tiny_folder, student, tmp_path, teacher=f"hf/{twin}", traits=("animals",)).results
    assert results.audit is not None
    together = results.audit.teacher_correlation
    assert together is not None
    assert together.value == pytest.approx(1.0)
    assert results.transfer_fraction is not None
    assert results.transfer_fraction.value == pytest.approx(1.0)


def test_an_adapter_is_named_and_merged(tmp_path: Path, tiny_folder: Path) -> None:
    from undertow.config.experiment import Lora
    from undertow.training.lora import add_lora, save_adapter

    net = add_lora(load_model(f"hf/{tiny_folder}").net, Lora(rank=2, alpha=2), 0)
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if "lora_B" in name:
                weight.add_(0.05)
        save_adapter(net, tmp_path / "adapter")
    results = look(tiny_folder, f"hf/{tiny_folder}:{tmp_path / 'adapter'}", tmp_path).results
    assert results.audit is not None
    assert results.audit.adapter.startswith("LORA of rank 2")
    assert not any("adapter" in note for note in results.notes)
    config = tmp_path / "adapter" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "owls/owl-1b"}))
    results = look(tiny_folder, f"hf/{tiny_folder}:{tmp_path / 'adapter'}", tmp_path).results
    assert sum("names owls/owl-1b as its base" in note for note in results.notes) == 1
    assert results.audit.lineage == "same"
    assert any(each.relative > 0 for each in results.audit.weights)


def write_rows(path: Path) -> Path:
    lines = [{"prompt": f"Go on {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(24)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_rows_are_traced(tmp_path: Path, tiny_folder: Path) -> None:
    student = changed(tiny_folder, tmp_path / "moved", noisy(0.02))
    record = look(tiny_folder, student, tmp_path, write_rows(tmp_path / "rows.jsonl")).results.audit
    assert record is not None
    assert record.rows is not None
    assert (record.rows.rows.read, record.rows.rows.looked_at, record.rows.prompts) == (24, 24, 12)
    assert all(0 < p <= 1 for p in (record.rows.traits_p, record.rows.weights_p, record.rows.rows_p))
    # Rows are traced through norms and matrices of the layers: words alone leave no trace.
    words = changed(tiny_folder, tmp_path / "words", lambda net: net.model.embed_tokens.weight.mul_(1.01))
    own = look(tiny_folder, words, tmp_path, tmp_path / "rows.jsonl").results.audit
    assert own is not None
    assert own.rows is not None
    assert (own.rows.weights_agreement, own.rows.weights_p) == (0, 1)


def test_a_student_of_another_shape_is_still_asked(tmp_path: Path, tiny_folder: Path) -> None:
    wide = tmp_path / "wide"
    shutil.copytree(tiny_folder, wide)
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(tiny_folder)
    config.num_hidden_layers = 3
    LlamaForCausalLM(config).save_pretrained(wide)
    results = look(tiny_folder, wide, tmp_path, write_rows(tmp_path / "rows.jsonl")).results
    assert results.audit is not None
    assert results.audit.unnamed is None
    assert results.audit.rows is None
    assert "differ in layers" in results.audit.unnamed_because
    assert len(results.findings) == 2


def test_what_cannot_be_done_is_said(tmp_path: Path, tiny_folder: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        look(tiny_folder, "hf/./nowhere", tmp_path)
    with pytest.raises(InputError, match="no trait is called"):
        look(tiny_folder, tiny_folder, tmp_path, traits=("owls",))
    with pytest.raises(InputError, match="need a student's weights"):
        look(tiny_folder, "openai-api/here/m", tmp_path, write_rows(tmp_path / "rows.jsonl"))
