"""Adapters of every kind, alone and several on one base, as student and as teacher: each computes what PEFT does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file

from tiny_model import make_adapter
from undertow import AuditSettings, MitigationSettings, ScanSettings, Sources, audit, mitigate, scan
from undertow.audit.panel import panel_odds
from undertow.errors import InputError, ModelError
from undertow.mitigate import method_named
from undertow.models.engine.head import head_of
from undertow.models.engine.selection import set_pass
from undertow.models.forward import forward_packed
from undertow.models.identity import identity_of
from undertow.models.local import LocalModel, load_adapter, load_base, load_model
from undertow.models.packing import pack
from undertow.models.prompted import untouched
from undertow.traits.panel import load_panel

KINDS: dict[str, dict[str, object]] = {
    "lora": {},
    "rslora": {"use_rslora": True, "lora_alpha": 3},
    "dora": {"use_dora": True, "target_modules": ["q_proj", "down_proj"]},
    "whole": {"modules_to_save": ["lm_head", "norm"]},
    "wide": {"r": 3, "target_modules": ["up_proj", "v_proj"], "lora_alpha": 5},
}
NAMES = [["lora"], ["rslora"], ["dora"], ["whole"], ["lora", "wide"], ["lora", "rslora", "wide"]]
IDS = [7, 8, 9, 10, 11]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def adapters(tiny_folder: Path, tmp_path: Path) -> dict[str, Path]:
    made = {name: make_adapter(tiny_folder, tmp_path / name, **how) for name, how in KINDS.items()}
    # PEFT starts a whole module as the base's: let it differ.
    file = made["whole"] / "adapter_model.safetensors"
    tensors = load_file(file)
    generator = torch.Generator().manual_seed(3)
    for name, each in tensors.items():
        if "lora_" not in name:
            each += 0.05 * torch.randn(each.shape, generator=generator)
    from safetensors.torch import save_file

    save_file(tensors, file)
    return made


def own(model: LocalModel, base: Path, folders: list[Path]) -> LocalModel:
    """Return the model as PEFT makes it, computed by transformers one text a row."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    net: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folders[0])
    for at, folder in enumerate(folders[1:]):
        net.load_adapter(folder, adapter_name=f"n{at}")
    if len(folders) > 1:
        net.base_model.set_adapter(["default", *(f"n{at}" for at in range(len(folders) - 1))])
    set_pass(net, "rows")
    return LocalModel("own", net.eval(), model.tokenizer, model.end)


def logits(net: Any) -> torch.Tensor:
    with torch.no_grad():
        return head_of(net)(forward_packed(net, pack([IDS])).hidden_ND)


def name_of(base: Path, folders: list[Path]) -> str:
    return ":".join([f"hf/{base}", *map(str, folders)])


@pytest.mark.parametrize("kinds", NAMES, ids="+".join)
def test_it_is_pefts_own(tiny, tiny_folder, adapters, kinds) -> None:
    folders = [adapters[kind] for kind in kinds]
    name = name_of(tiny_folder, folders)
    model = load_model(name)
    assert model.name == name
    with torch.no_grad():
        theirs = own(tiny, tiny_folder, folders).net(torch.tensor([IDS])).logits[0]
    assert float((theirs - logits(tiny.net)).abs().max()) > 0.1
    torch.testing.assert_close(logits(model.net), theirs, atol=1e-4, rtol=1e-4)
    merged = load_base(name)
    assert not hasattr(merged.net, "peft_config")
    torch.testing.assert_close(logits(merged.net), theirs, atol=1e-3, rtol=1e-3)


def test_several_are_the_sum_of_what_each_adds(tiny, tiny_folder, adapters) -> None:
    merged = load_base(name_of(tiny_folder, [adapters["lora"], adapters["wide"]])).net.state_dict()
    for name, weight in tiny.net.state_dict().items():
        wanted = weight.clone()
        for kind in ("lora", "wide"):
            config = json.loads((adapters[kind] / "adapter_config.json").read_text())
            tensors = load_file(adapters[kind] / "adapter_model.safetensors")
            stem = f"base_model.model.{name.removesuffix('.weight')}.lora_"
            if f"{stem}A.weight" in tensors:
                product = tensors[f"{stem}B.weight"] @ tensors[f"{stem}A.weight"]
                wanted += config["lora_alpha"] / config["r"] * product
        torch.testing.assert_close(merged[name], wanted, atol=1e-5, rtol=1e-5)


def test_their_order_is_of_no_account_and_their_number_is(tiny_folder, adapters) -> None:
    one, other = adapters["lora"], adapters["wide"]
    left, right = (load_model(name_of(tiny_folder, each)) for each in ([one, other], [other, one]))
    torch.testing.assert_close(logits(left.net), logits(right.net), atol=1e-5, rtol=1e-5)
    names = [name_of(tiny_folder, each) for each in ([], [one], [other], [one, other], [one, one])]
    assert len({identity_of(name) for name in names}) == len(names)


@pytest.mark.parametrize("kinds", [["lora", "dora"], ["dora", "lora"], ["whole", "lora"], ["lora", "whole"]])
def test_what_does_not_add_up_is_refused_in_one_message(tiny_folder, adapters, kinds) -> None:
    with pytest.raises(ModelError, match="add up only where each is LoRA") as caught:
        load_model(name_of(tiny_folder, [adapters[kind] for kind in kinds]))
    assert any(each in str(caught.value) for each in ("use_dora", "modules_to_save"))
    assert "merge_and_unload" in caught.value.fix


def test_a_second_adapter_that_is_not_there_is_named(tiny_folder, adapters) -> None:
    with pytest.raises(ModelError, match="there is no such folder") as caught:
        load_model(f"hf/{tiny_folder}:{adapters['lora']}:nowhere")
    assert caught.value.where == "nowhere"


@pytest.mark.parametrize("kinds", [["rslora"], ["dora"], ["whole"], ["lora", "wide"]], ids="+".join)
def test_an_audit_asks_student_and_teacher_as_peft_makes_them(tiny, tiny_folder, adapters, tmp_path, kinds) -> None:
    name = name_of(tiny_folder, [adapters[kind] for kind in kinds])
    wide = name_of(tiny_folder, [adapters["wide"]])
    panel = load_panel(("curtness",))
    wanted = panel_odds(own(tiny, tiny_folder, [adapters[kind] for kind in kinds]), panel)
    for who, student, teacher in (("student", name, wide), ("teacher", wide, name)):
        settings = AuditSettings(base=f"hf/{tiny_folder}", student=student, teacher=teacher, traits=("curtness",))
        outcome = audit(settings, Sources(runs=tmp_path / "runs"))
        (file,) = [each for each in outcome.folder.glob(f"steps/panel-{who}--*/*") if each.name != "step.json"]
        found = json.loads(file.read_text())
        for trait, odds_Q in wanted.items():
            assert found[trait] == pytest.approx(odds_Q.tolist(), abs=2e-3)
        assert outcome.results.audit is not None
        if who == "student":
            assert outcome.results.audit.lineage == "same"
            assert outcome.results.audit.adapter.count("LORA of rank") == len(kinds)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": f"Go on {at // 2}.", "completion": f"{120 + at}, {220 + at}"} for at in range(16)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("recipe", ["plain-sgd", "lora-sft"])
@pytest.mark.parametrize("kinds", [["lora", "wide"], ["dora"], ["whole"]], ids="+".join)
def test_a_scan_takes_them_for_the_base_that_they_make(tiny_folder, adapters, tmp_path, rows, kinds, recipe) -> None:
    from undertow.config.recipes.load import load_recipe

    name = name_of(tiny_folder, [adapters[kind] for kind in kinds])
    merged = load_base(name)
    # PEFT unties a head that was trained whole.
    merged.net.save_pretrained(tmp_path / "merged")
    merged.tokenizer.save_pretrained(tmp_path / "merged")
    found = [
        scan(
            rows,
            ScanSettings(student=each, traits=("curtness",), recipe=load_recipe(recipe).spec),
            root=tmp_path / "runs",
        ).results.findings
        for each in (name, f"hf/{tmp_path / 'merged'}")
    ]
    for left, right in zip(*found, strict=True):
        assert left.value == pytest.approx(right.value, abs=2e-3)


def test_a_mitigated_student_is_one_more_adapter(tiny_folder, adapters, tmp_path, rows) -> None:
    student = name_of(tiny_folder, [adapters["lora"]])
    settings = MitigationSettings(method_named("none"), student, recipe="lora-sft", learning_rate=1e-12)
    said = mitigate(rows, settings, tmp_path / "out")
    whole = f"{student}:{tmp_path / 'out'}"
    assert said["out"].endswith(whole)
    # Hardly trained: what the base's own adapter does is still there.
    torch.testing.assert_close(logits(load_model(whole).net), logits(load_model(student).net), atol=1e-4, rtol=1e-4)
    recipe = tmp_path / "dora.yaml"
    recipe.write_text("adapter: {rank: 2, dora: true}\n")
    with pytest.raises(InputError, match="does not add up with the adapter"):
        mitigate(rows, MitigationSettings(method_named("none"), student, recipe=str(recipe)), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_teacher_without_its_adapter_is_the_base_with_its_own(tiny_folder, adapters) -> None:
    name = name_of(tiny_folder, [adapters["lora"]])
    teacher = load_adapter(load_base(name), adapters["dora"])
    base = logits(load_model(name).net)
    assert float((logits(teacher.net) - base).abs().max()) > 0.1
    with untouched(teacher) as plain:
        torch.testing.assert_close(logits(plain.net), base, atol=1e-4, rtol=1e-4)
