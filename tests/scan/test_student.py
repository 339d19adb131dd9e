"""Virtual students by other recipes than plain steps: a training by the same recipe is the oracle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from undertow.attribution.recipe import PLAIN
from undertow.attribution.sampling import Encoded, Sampling
from undertow.attribution.student import lora_of
from undertow.config.parts import Lora
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.models.local import LocalModel
from undertow.scan.virtual import virtual_student
from undertow.training.lora import add_lora
from undertow.training.train import Example, train

ADAMW = RecipeSpec(learning_rate=0.01, weight_decay=0.1, epsilon=1e-6, epochs=2, batch=4, clip=1.0)
REAL = replace(
    PLAIN,
    optimiser="adamw",
    learning_rate=0.01,
    weight_decay=0.1,
    epsilon=1e-6,
    epochs=2,
    batch=4,
    micro_batch=4,
    warmup=0,
    clip=1.0,
)
LORA = ADAMW.model_copy(update={"adapter": AdapterSpec(rank=4, alpha=8), "seed": 5})


def rows_of(count: int) -> list[Encoded]:
    rng = np.random.default_rng(0)
    return [
        Encoded((1, 2, 3 + at // 2), tuple(int(token) for token in rng.integers(3, 40, size=6))) for at in range(count)
    ]


def trained(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in net.named_parameters() if weight.requires_grad}


def assert_alike(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, weight in wanted.items():
        torch.testing.assert_close(found[name], weight, rtol=2e-3, atol=2e-5, msg=name)


def test_by_adamw_it_is_the_student_itself(tiny: LocalModel) -> None:
    rows = rows_of(16)
    with virtual_student(tiny, rows, Sampling(), read=16, seed=3, recipe=ADAMW) as student:
        found = trained(student.net)
    for weight in tiny.net.parameters():
        weight.requires_grad_(True)
    train(tiny.net, [Example(row.prompt, row.answer) for row in rows], REAL, seed=3)
    assert_alike(found, trained(tiny.net))


def test_with_an_adapter_it_is_the_student_itself(tiny: LocalModel) -> None:
    rows = rows_of(16)
    with virtual_student(tiny, rows, Sampling(), read=16, seed=3, recipe=LORA) as student:
        found = trained(student.net)
    net = add_lora(tiny.net, Lora(rank=4, alpha=8), seed=5)
    start = trained(net)
    train(net, [Example(row.prompt, row.answer) for row in rows], REAL, seed=3)
    assert_alike(found, trained(net))
    assert any(not torch.equal(start[name], found[name]) for name in start)
    assert all("lora_" in name for name in found)


@pytest.mark.parametrize("recipe", [ADAMW, LORA])
def test_the_base_is_as_it_was_whatever_happens(tiny: LocalModel, recipe: RecipeSpec) -> None:
    before = {name: weight.detach().clone() for name, weight in tiny.net.named_parameters()}
    asked = [weight.requires_grad for weight in tiny.net.parameters()]
    modules = [type(module) for module in tiny.net.modules()]
    with (
        pytest.raises(KeyboardInterrupt),
        virtual_student(tiny, rows_of(8), Sampling(), read=8, seed=0, recipe=recipe),
    ):
        raise KeyboardInterrupt
    assert {name for name, _ in tiny.net.named_parameters()} == before.keys()
    assert all(torch.equal(before[name], weight) for name, weight in tiny.net.named_parameters())
    assert [weight.requires_grad for weight in tiny.net.parameters()] == asked
    assert [type(module) for module in tiny.net.modules()] == modules
    assert not tiny.net.training


def test_the_recipes_seed_starts_the_adapter(tiny: LocalModel) -> None:
    def start(seed: int) -> dict[str, torch.Tensor]:
        still = LORA.model_copy(update={"seed": seed, "learning_rate": 1e-12, "weight_decay": 0.0})
        with virtual_student(tiny, rows_of(8), Sampling(), read=8, seed=0, recipe=still) as student:
            return trained(student.net)

    one, again, two = start(1), start(1), start(2)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.allclose(one[name], two[name], atol=1e-6) for name in one)


def test_a_stabilised_rank_is_another_alpha() -> None:
    plain = lora_of(AdapterSpec(rank=16, alpha=32))
    stabilised = lora_of(AdapterSpec(rank=16, alpha=32, rank_stabilised=True))
    assert plain.alpha / plain.rank == 32 / 16
    assert stabilised.alpha / stabilised.rank == pytest.approx(32 / 16**0.5)
