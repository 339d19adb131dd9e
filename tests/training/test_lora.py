"""Adapters against PEFT's merged weights, what is stored of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from undertow.config.parts import Lora
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.errors import ModelError
from undertow.models.engine.head import head_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel, load_adapter, load_model
from undertow.models.packing import pack
from undertow.training.lora import add_adapter, add_lora, save_adapter
from undertow.training.recipe import recipe_from
from undertow.training.train import Example, train

KINDS = [
    AdapterSpec(rank=4, alpha=8),
    AdapterSpec(rank=4, alpha=8, rank_stabilised=True),
    AdapterSpec(rank=4, alpha=8, dora=True),
    AdapterSpec(rank=3, alpha=5, dora=True, rank_stabilised=True, targets=("q_proj", "down_proj")),
    AdapterSpec(rank=4, alpha=8, layers=(1,), targets=("up_proj",), modules_to_save=("lm_head",)),
    AdapterSpec(rank=4, alpha=8, dropout=0.3, modules_to_save=("embed_tokens", "norm")),
]
ROWS = [Example((7, 8, 9), (10, 11, 1)), Example((7, 8, 12), (13, 1)), Example((7, 8, 9), (14, 15, 16, 1))]


def trained(model: LocalModel, spec: AdapterSpec, **changes):
    net = add_adapter(model.net, spec, 0)
    recipe = recipe_from(
        RecipeSpec(learning_rate=0.02, epochs=3, batch=2, adapter=spec).model_copy(update=changes), autocast=False
    )
    return net, train(net, ROWS, recipe, seed=0)


def hidden(net, ids=(7, 8, 9, 10)):
    with torch.no_grad():
        found = forward_packed(net, pack([ids]))
        return head_of(net)(found.hidden_ND)


@pytest.mark.parametrize("spec", KINDS, ids=str)
def test_a_trained_adapter_is_pefts_own_merged_stored_and_loaded(tiny, tiny_folder, tmp_path: Path, spec) -> None:
    base = hidden(tiny.net)
    net, history = trained(tiny, spec)
    assert history[-1].loss < history[0].loss
    net.eval()
    own = hidden(net)
    assert float((own - base).abs().max()) > 1e-3
    save_adapter(net, tmp_path / "adapter")
    loaded = load_adapter(load_model(f"hf/{tiny_folder}"), tmp_path / "adapter")
    torch.testing.assert_close(hidden(loaded.net), own, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        theirs = loaded.net(torch.tensor([[7, 8, 9, 10]])).logits[0]
        torch.testing.assert_close(theirs, own, atol=1e-4, rtol=1e-4)
        merged = loaded.net.merge_and_unload()(torch.tensor([[7, 8, 9, 10]])).logits[0]
    torch.testing.assert_close(merged, own, atol=1e-4, rtol=1e-4)


def test_an_experiments_adapter_is_that_of_a_recipe(tiny, tiny_folder) -> None:
    one = add_lora(tiny.net, Lora(rank=2, alpha=4), 5)
    other = add_adapter(load_model(f"hf/{tiny_folder}").net, AdapterSpec(rank=2, alpha=4), 5)
    for left, right in zip(one.state_dict().items(), other.state_dict().items(), strict=True):
        assert left[0] == right[0]
        assert torch.equal(left[1], right[1])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (AdapterSpec(targets=("c_attn",)), "no module 'c_attn'"),
        (AdapterSpec(targets=("lm_head",)), "output projection"),
        (AdapterSpec(layers=(2,)), "no layer 2"),
        (AdapterSpec(bits=4), "bitsandbytes and a CUDA GPU"),
    ],
)
def test_what_a_model_has_no_place_for_is_refused_before_it_is_changed(tiny, spec, says) -> None:
    names = [name for name, _ in tiny.net.named_parameters()]
    with pytest.raises(ModelError, match=says):
        add_adapter(tiny.net, spec, 0)
    assert [name for name, _ in tiny.net.named_parameters()] == names
    assert all(each.requires_grad for each in tiny.net.parameters())


@pytest.mark.parametrize("verb", ["run", "mitigate"])
def test_few_bits_without_a_gpu_are_refused_before_weights_are_read(
    verb, tiny_folder, tmp_path, monkeypatch, capsys
) -> None:
    import json

    from tiny_run import spec_text
    from undertow.cli import main

    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("undertow.models.local.load_net", lambda *_given, **_named: pytest.fail("weights are read"))
    spec, rows = tmp_path / "spec.yaml", tmp_path / "rows.jsonl"
    spec.write_text(spec_text(tiny_folder, student="{recipe: qlora-sft}"))
    rows.write_text(json.dumps({"prompt": "Go on.", "completion": "1, 2"}) + "\n")
    student = ["--student", f"hf/{tiny_folder}", "--with", "none", "--recipe", "qlora-sft", "-o", str(tmp_path / "out")]
    call = ["run", str(spec)] if verb == "run" else ["mitigate", str(rows), *student]
    assert main([*call, "--runs", str(tmp_path / "runs"), "--quiet"]) == 3
    said = capsys.readouterr().err
    assert "weights of 4 bits need bitsandbytes and a CUDA GPU (where both are, this is not tested)" in said
    assert not list(tmp_path.rglob("step.json"))
    assert not (tmp_path / "out").exists()
