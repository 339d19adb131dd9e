"""Lineage from weights: a copy is known under noise and reordering, strangers raise the alarm as often as stated."""

from __future__ import annotations

from copy import deepcopy
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MambaConfig, MambaForCausalLM

from tiny_model import make_tiny_model
from undertow.attribution.weight_similarity import (
    UNITS,
    agreement_p,
    fingerprints,
    independence,
    matching,
    weight_similarity,
)
from undertow.models.engine.network import network_of


@pytest.fixture(scope="module")
def net(tiny_folder: Path):
    return AutoModelForCausalLM.from_pretrained(tiny_folder)


def born(config: LlamaConfig, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)


def tuned(net, share: float, seed: int = 0):
    """A copy with noise on every matrix, of a share of its size."""
    noise = torch.Generator().manual_seed(seed)
    copy = deepcopy(net)
    with torch.no_grad():
        for weight in copy.parameters():
            if weight.ndim == 2:
                weight.add_(torch.randn(weight.shape, generator=noise) * weight.std(), alpha=share)
    return copy


def reordered(net, seed: int = 0):
    """A copy that computes the same with its hidden units in another order."""
    rng = np.random.default_rng(seed)
    copy = deepcopy(net)
    for layer in copy.model.layers:
        order = torch.from_numpy(rng.permutation(layer.mlp.gate_proj.out_features))
        for linear in (layer.mlp.gate_proj, layer.mlp.up_proj):
            linear.weight.data = linear.weight.data[order]
        layer.mlp.down_proj.weight.data = layer.mlp.down_proj.weight.data[:, order]
    return copy


def trained(net, steps: int = 150):
    """Train on one text over and over, as every other network here is."""
    tokens = torch.tensor([[(7 * at * at + 3 * at) % 61 + 2 for at in range(96)]])
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        net(input_ids=tokens, labels=tokens).loss.backward()
        optimiser.step()
    return net


def test_the_same_model_is_the_same_in_any_type(net) -> None:
    found = weight_similarity(net, deepcopy(net))
    assert (found.answer, found.identical, found.compared) == ("same", 15, 15)
    assert found.cosine == pytest.approx(1)
    assert found.p is not None
    assert 0 < found.p < 1e-50
    half = deepcopy(net).to(torch.bfloat16)
    assert weight_similarity(half, deepcopy(half).float()).identical == 15


def test_a_tuned_model_is_the_same_and_frozen_matrices_are_counted(net) -> None:
    child = tuned(net, 0.1)
    child.model.embed_tokens.weight.data = net.model.embed_tokens.weight.data.clone()
    found = weight_similarity(net, child)
    assert (found.answer, found.identical) == ("same", 1)
    assert found.cosine is not None
    assert found.cosine > 0.98
    assert [each.name for each in fingerprints(net, child) if len(set(each.sha256)) == 1] == ["embed_tokens.weight"]


@pytest.mark.parametrize("seed", range(3))
def test_a_model_with_reordered_units_is_the_same_after_tuning_too(net, seed: int) -> None:
    tokens = torch.arange(40)[None]
    child = reordered(net, seed)
    torch.testing.assert_close(child(tokens).logits, net(tokens).logits, atol=1e-4, rtol=1e-4)
    child = tuned(child, 0.3, seed)
    gate = [each.cosine for each in fingerprints(net, child) if "gate" in each.name]
    assert max(np.abs(gate)) < 0.2
    assert weight_similarity(net, child).answer == weight_similarity(child, net).answer == "same"


def test_models_of_other_seeds_are_different(net, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        other = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / str(seed), seed))
        found = weight_similarity(net, other)
        assert (found.answer, found.identical, found.compared) == ("different", 0, 15)
        assert found.p is not None
        assert found.p > 0.001
        assert found.cosine == pytest.approx(0, abs=0.05)


def test_strangers_raise_the_alarm_as_often_as_stated(net) -> None:
    stacks = [network_of(born(net.config, seed)) for seed in range(20)]
    p = [independence(*pair, rng=np.random.default_rng(0)) for pair in combinations(stacks, 2)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.07)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_strangers_trained_on_the_same_text_stay_strangers(net) -> None:
    nets = [trained(born(net.config, seed)) for seed in range(4)]
    p = [weight_similarity(*pair).p for pair in combinations(nets, 2)]
    assert min(p) > 0.001
    assert weight_similarity(trained(reordered(nets[0]), 50), nets[0]).answer == "same"


def layer(rng: np.random.Generator, units: int, width: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Gate and up rows: some units are pruned, and the order says how strong one is and which way it tends to point."""
    slope_U = torch.linspace(-1, 1, units)[:, None]
    gate, up = (torch.from_numpy(rng.normal(size=(units, width))).float() for _ in range(2))
    gate[:, 0] += 3 * slope_U[:, 0]
    up[:, 0] += 3 * slope_U[:, 0]
    kept_U = (torch.arange(units) % 4 > 0)[:, None]
    return gate * kept_U, up * kept_U


def test_units_in_a_telling_order_and_pruned_ones_hardly_raise_the_alarm() -> None:
    rng = np.random.default_rng(0)
    p = np.array([agreement_p(*layer(rng, 96), *layer(rng, 96), rng=rng) for _ in range(1000)])
    assert np.mean(p < 0.1) < 0.17
    assert np.mean(p < 0.001) < 0.005


def test_wide_layers_are_sampled_whatever_the_order_of_units() -> None:
    rng = np.random.default_rng(1)
    gate, up = (torch.from_numpy(rng.normal(size=(3 * UNITS, 32))).float() for _ in range(2))
    order = torch.from_numpy(rng.permutation(3 * UNITS))
    assert agreement_p(gate, up, gate[order], up[order], rng=rng) < 1e-100
    places = matching(gate[:UNITS], gate[order], rng=rng)
    np.testing.assert_array_equal(order[places], np.arange(UNITS))
    assert agreement_p(gate, up, gate[order], up, rng=rng) > 0.001


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_size": 16}, "shapes, 64 x 32 and 64 x 16"),
        ({"intermediate_size": 48}, "shapes, 64 x 32 and 48 x 32"),
        ({"num_hidden_layers": 3}, "2 and 3 layers"),
    ],
)
def test_other_shapes_are_unknown(net, change: dict[str, int], reason: str) -> None:
    found = weight_similarity(net, born(LlamaConfig(**{**net.config.to_dict(), **change, "head_dim": None}), 0))
    assert found.answer == "unknown"
    assert reason in found.because
    assert found.p is None


def test_what_cannot_be_compared_is_unknown(net) -> None:
    width = net.config.hidden_size
    recurrent = MambaForCausalLM(MambaConfig(vocab_size=64, hidden_size=width, num_hidden_layers=2, state_size=4))
    assert "no matrices" in weight_similarity(net, recurrent).because
    broken = deepcopy(net)
    broken.model.layers[1].mlp.up_proj.weight.data[3, 3] = torch.nan
    found = weight_similarity(net, broken)
    assert (found.answer, found.p, found.compared) == ("unknown", None, 14)
    few = born(LlamaConfig(**{**net.config.to_dict(), "intermediate_size": 4}), 0)
    assert "too few" in weight_similarity(few, deepcopy(few)).because


def test_a_borrowed_embedding_is_unknown(net) -> None:
    other = born(net.config, 5)
    other.model.embed_tokens.weight.data = net.model.embed_tokens.weight.data.clone()
    found = weight_similarity(net, other)
    assert (found.answer, found.identical) == ("unknown", 1)


def test_adapters_are_left_out(net) -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(deepcopy(net), LoraConfig(target_modules=["gate_proj", "q_proj"], r=2))
    found = weight_similarity(adapted, net)
    assert (found.answer, found.identical, found.compared) == ("same", 15, 15)
