"""Predictions in a recipe's own geometry, beside students that are really trained by small steps.

Projections are taken out: on a tiny model each matrix keeps all its numbers, so that predictions are exact to first
order. Embeddings, which no gradient of a row is measured in, are kept as they are in the students of all weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from undertow.attribution import capture, lifted
from undertow.attribution.directions import find_directions
from undertow.attribution.features import row_features
from undertow.attribution.geometry import Trained, geometry_of, mean_factor, scale_of, targeted
from undertow.attribution.lifted import lift, multiplied
from undertow.attribution.preconditioner import preconditioner
from undertow.attribution.prediction import side_of
from undertow.attribution.rehearsal_plan import trained_by
from undertow.attribution.sampling import Encoded, Sampling
from undertow.attribution.tier import pushes
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.models.engine.network import Matrix, network_of
from undertow.models.local import LocalModel, load_model
from undertow.probes.panel import panel_log_odds
from undertow.training.lora import add_adapter
from undertow.training.train import Example, train
from undertow.traits.panel import Panel, load_panel

WHOLE = 64
"""Width of the tiny model's widest matrix."""
RANK = 4
SGD = RecipeSpec(name="sgd", optimiser="sgd", clip=None, batch=32, epochs=4, schedule="constant", learning_rate=1e-3)
ADAMW = RecipeSpec(name="adamw", batch=8, epochs=1, schedule="constant", learning_rate=1e-5)
ADAPTER = AdapterSpec(rank=RANK, alpha=8)
DORA = AdapterSpec(rank=RANK, alpha=8, dora=True)


@pytest.fixture(autouse=True)
def unprojected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep every number of a matrix."""

    def sides(_number: int, matrix: Matrix) -> capture.Projection:
        return capture.Projection(torch.eye(matrix.inputs, WHOLE), torch.eye(matrix.outputs, WHOLE))

    for module in (capture, lifted):
        monkeypatch.setattr(module, "SIDE", WHOLE)
        monkeypatch.setattr(module, "projection_of", sides)
    monkeypatch.setenv("UNDERTOW_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return load_panel(("animals",))


def rows_of(count: int) -> list[Encoded]:
    """Rows with a preference for some tokens, so that their gradients have a mean."""
    rng = np.random.default_rng(3)
    return [
        Encoded(tuple(rng.integers(2, 200, size=5).tolist()), (*(40 + rng.integers(9, size=5)).tolist(), 1))
        for _ in range(count)
    ]


def starts_of(student: Any) -> list[Any]:
    """Return the adapter's A of every matrix, in the network's order."""
    found: list[Any] = []
    for matrix in network_of(student).matrices:
        held = getattr(matrix.module, "lora_A", None)
        found.append(None if held is None else held["default"].weight.detach().clone()[None])
    return found


@dataclass(frozen=True)
class Outcome:
    predicted_K: np.ndarray
    found_K: np.ndarray

    @property
    def correlation(self) -> float:
        return float(np.corrcoef(self.predicted_K, self.found_K)[0, 1])

    @property
    def ratio(self) -> float:
        """Slope of what was found on what was predicted."""
        return float(self.predicted_K @ self.found_K / (self.predicted_K @ self.predicted_K))


def beside_training(
    folder: Path, panel: Panel, recipe: RecipeSpec, rows: Sequence[Encoded], *, seed: int = 0
) -> Outcome:
    model = load_model(f"hf/{folder}")
    examples = [Example(row.prompt, row.answer) for row in rows]
    plain = find_directions(model, panel)
    before_K = np.array([each.mean() for each in panel_log_odds(model, panel)])
    drawn: Any = None
    factors = None
    if recipe.adapter is not None:
        other = load_model(f"hf/{folder}")
        starts = starts_of(add_adapter(other.net, recipe.adapter, seed))
        drawn = lambda at, _matrix: starts[at]  # noqa: E731
    geometry = geometry_of(model.net, recipe, drawn=drawn)
    by = trained_by(recipe)
    if recipe.optimiser == "adamw":
        factors = preconditioner(model, examples, by, geometry, seed=seed)
    directions = replace(plain, lifted_KF=lift(model, panel, geometry, factors))
    features = row_features(model, rows, directions, Sampling())
    side = side_of(features, np.arange(len(rows)), 1.0, pushes(len(rows), recipe), saturates=False)
    if recipe.adapter is None:
        student = model.net
        for weight in student.parameters():
            weight.requires_grad_(True)
        student.get_input_embeddings().weight.requires_grad_(False)
    else:
        student = add_adapter(model.net, recipe.adapter, seed)
    train(student, examples, by, seed=seed)
    after_K = np.array([each.mean() for each in panel_log_odds(replace(model, net=student), panel)])
    return Outcome(side.alignment_RK.T @ side.weight_R, after_K - before_K)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"batch": 8, "epochs": 1},
        {"momentum": 0.7},
        {"schedule": "linear", "warmup_steps": 1},
        {"adapter": ADAPTER, "learning_rate": 1e-2},
        {"adapter": ADAPTER, "learning_rate": 5e-3, "momentum": 0.7, "weight_decay": 0.1},
        {"adapter": AdapterSpec(rank=RANK, alpha=8, rank_stabilised=True, targets=("q_proj", "down_proj"))},
        {"adapter": AdapterSpec(rank=RANK, alpha=8, layers=(1,)), "learning_rate": 1e-2},
        {"adapter": DORA},
    ],
    ids=[
        "full",
        "batches",
        "momentum",
        "schedule",
        "lora",
        "lora-momentum-decay",
        "rslora-targets",
        "lora-layer",
        "dora",
    ],
)
def test_plain_steps(tiny_folder: Path, panel: Panel, changes: dict[str, Any]) -> None:
    found = beside_training(tiny_folder, panel, SGD.model_copy(update=changes), rows_of(32))
    assert found.correlation > 0.999
    assert found.ratio == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("adapter", [None, ADAPTER, DORA], ids=["full", "lora", "dora"])
def test_steps_of_adamw_on_one_batch(tiny_folder: Path, panel: Panel, adapter: AdapterSpec | None) -> None:
    """Each step has the same gradient: then v is its square, and the prediction is exact near the base."""
    recipe = ADAMW.model_copy(update={"adapter": adapter, "epochs": 3, "weight_decay": 0.1 if adapter else 0.0})
    found = beside_training(tiny_folder, panel, recipe, rows_of(8))
    assert found.correlation > 0.999
    assert found.ratio == pytest.approx(1, abs=0.02)


def test_steps_of_adamw_on_batches_hold_on_the_mean_over_orders(tiny_folder: Path, panel: Panel) -> None:
    """The first steps go by few batches, so that students of other orders differ: the prediction is that of none."""
    rows = rows_of(64)
    each = [beside_training(tiny_folder, panel, ADAMW, rows, seed=seed) for seed in range(6)]
    found = Outcome(*(np.mean([getattr(one, side) for one in each], axis=0) for side in ("predicted_K", "found_K")))
    assert found.correlation > 0.9
    assert found.ratio == pytest.approx(1, abs=0.3)
    assert found.correlation > np.mean([one.correlation for one in each])


def test_the_mean_over_starts_is_exact() -> None:
    source = torch.Generator().manual_seed(0)
    weight_OI, gradient_OI = (torch.randn(6, 10, generator=source) for _ in range(2))
    drawn = (2 * torch.rand(20_000, 3, 10, generator=source) - 1) / 10**0.5
    for lengths in (False, True):
        by_starts, known = (Trained(weight_OI, 2.0, 3, starts, lengths) for starts in (drawn, None))
        found, wanted = by_starts.lifted(gradient_OI), known.lifted(gradient_OI)
        assert torch.linalg.vector_norm(found - wanted) < 0.02 * torch.linalg.vector_norm(wanted)


def test_starts_are_drawn_as_peft_draws_them(tiny: LocalModel) -> None:
    recipe = ADAMW.model_copy(update={"adapter": AdapterSpec(rank=64, alpha=8)})
    own = geometry_of(tiny.net, recipe, starts=4).matrices
    theirs = starts_of(add_adapter(tiny.net, recipe.adapter, 0))
    for at, trained in own.items():
        one, other = trained.starts_SRI, theirs[at]
        assert one.shape == (4, *other.shape[1:])
        assert float(one.std()) == pytest.approx(float(other.std()), rel=0.05)
        assert max(float(each.abs().max()) for each in (one, other)) <= one.shape[-1] ** -0.5
        assert not torch.equal(one[0], one[1])


@pytest.mark.parametrize(
    "adapter",
    [
        ADAPTER,
        AdapterSpec(rank=RANK, targets=("q_proj", "down_proj"), layers=(1,)),
        AdapterSpec(rank=RANK, targets=("self_attn.v_proj",)),
        AdapterSpec(rank=RANK, targets=("model.layers.0.mlp.up_proj", "o_proj")),
        AdapterSpec(rank=RANK, targets=("q_proj", "v_proj"), modules_to_save=("v_proj",)),
    ],
)
def test_matrices_that_get_an_adapter_are_those_of_peft(tiny: LocalModel, adapter: AdapterSpec) -> None:
    own = network_of(tiny.net).matrices
    found = [(own[at].layer, own[at].name) for at in targeted(network_of(tiny.net), adapter)]
    student = add_adapter(tiny.net, adapter, 0)
    kept = zip(network_of(student).matrices, starts_of(student), strict=True)
    assert found == [(matrix.layer, matrix.name) for matrix, start in kept if start is not None]


def test_plain_steps_on_an_adapter_need_no_pass(tiny: LocalModel, panel: Panel) -> None:
    recipe = SGD.model_copy(update={"adapter": ADAPTER})
    directions = find_directions(tiny, panel)
    found = multiplied(tiny.net, directions, recipe)
    wanted = lift(tiny, panel, geometry_of(tiny.net, recipe))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)
    assert not found[:, : capture.norm_count(tiny.net)].any()
    assert mean_factor(scale_of(ADAPTER), RANK, 32) == pytest.approx(2**2 * RANK / 96)


def test_weights_are_left_as_they_were(tiny: LocalModel, panel: Panel) -> None:
    before = [(weight.detach().clone(), weight.requires_grad) for weight in tiny.net.parameters()]
    geometry = geometry_of(tiny.net, ADAMW)
    examples = [Example(row.prompt, row.answer) for row in rows_of(8)]
    factors = preconditioner(tiny, examples, trained_by(ADAMW), geometry, seed=0)
    assert {kind for kind, _ in factors} == {"norm", "matrix"}
    assert all(bool((part > 0).all()) for parts in factors.values() for part in parts)
    lift(tiny, panel, geometry, factors)
    for weight, (old, was) in zip(tiny.net.parameters(), before, strict=True):
        assert torch.equal(weight, old)
        assert (weight.requires_grad, weight.grad) == (was, None)
