"""Where models are put. Several GPUs are not at hand: accelerate's maps are tested on the processor and the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from undertow.cli import main
from undertow.errors import InputError, ModelError
from undertow.models.engine.selection import pass_of
from undertow.models.engine.setting import engine
from undertow.models.generate import generate
from undertow.models.local import LocalModel, load_model
from undertow.models.placement import device_wanted, map_wanted, on_device
from undertow.models.score import token_logprobs

PROMPTS, ANSWERS = [[5, 9, 40, 41], [5, 9, 40, 30, 31]], [[7, 8], [9]]
ON_DISK = {
    "model.embed_tokens": "cpu",
    "model.rotary_emb": "cpu",
    "model.norm": "cpu",
    "lm_head": "cpu",
    "model.layers.0": "cpu",
    "model.layers.1": "disk",
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


def logp(model: LocalModel) -> list[torch.Tensor]:
    return token_logprobs(model.net, PROMPTS, ANSWERS)


@pytest.mark.parametrize(("placed", "where"), [({"": "cpu"}, {"cpu"}), (ON_DISK, {"cpu", "disk"})], ids=["cpu", "disk"])
def test_a_map_changes_no_number(tiny_folder, placed, where) -> None:
    name = f"hf/{tiny_folder}"
    with engine("generic"):
        plain = load_model(name)
    with on_device(placed):
        assert map_wanted() == placed
        assert device_wanted() == torch.device("cpu")
        mapped = load_model(name)
    # Where a map has one place, the model is put there whole.
    assert {str(each) for each in getattr(mapped.net, "hf_device_map", placed).values()} == where
    assert any(weight.is_meta for weight in mapped.net.parameters()) == ("disk" in where)
    # The fast pass would ask a layer for weights that are elsewhere.
    assert pass_of(mapped.net) == "packed"
    for left, right in zip(logp(plain), logp(mapped), strict=True):
        assert torch.equal(left, right)
    written = [generate(each.net, PROMPTS, [0, 1], seed=1, end=each.end, max_tokens=6) for each in (plain, mapped)]
    assert [each.tokens for each in written[0]] == [each.tokens for each in written[1]]


def test_it_holds_for_one_context_alone(tiny_folder) -> None:
    with on_device("cpu"):
        assert map_wanted() is None
        assert load_model(f"hf/{tiny_folder}").device == torch.device("cpu")
    assert map_wanted() is None
    # On one device the fast pass is used, whatever was found for a map.
    with on_device({"": "cpu"}):
        load_model(f"hf/{tiny_folder}")
    assert pass_of(load_model(f"hf/{tiny_folder}").net) == "fast"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "", "balanced_low_0", "cpu "])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="--device"), on_device(name):
        pass


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7", "balanced"])
def test_a_gpu_that_is_not_there_is_said_before_anything_is_read(name: str, tmp_path, capsys) -> None:
    with pytest.raises(ModelError, match="no GPU"), on_device(name):
        pass
    rows = tmp_path / "rows.jsonl"
    for call in (["scan", str(rows)], ["audit", "--student", "hf/x"], ["run", "--preset", "owl-numbers"]):
        capsys.readouterr()
        assert main([*call, "--device", name, "--runs", str(tmp_path / "runs"), "--quiet"]) == 3
        assert f"--device {name}: this machine has no GPU" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_the_fast_pass_and_a_map_exclude_each_other(tiny_folder) -> None:
    with engine("fast"), on_device({"": "cpu"}), pytest.raises(ModelError, match="on one device"):
        load_model(f"hf/{tiny_folder}")
