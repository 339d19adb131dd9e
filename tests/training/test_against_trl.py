"""Five recipes against TRL's `SFTTrainer` on a tiny model: the same losses and the same weights, step by step.

TRL is in the dependency group `bench`; without it these tests are skipped.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")
pytest.importorskip("datasets")

from benchmarks.speed.trainers import RECIPES, apart, by_trl, by_undertow, write_start

from undertow.models.local import load_model
from undertow.training.train import Example

pytestmark = pytest.mark.slow

LOSSES, WAYS = 2e-5, 2e-3
"""Tolerances in float32: nats, and a share of the way that the weights went."""


def rows_of(count: int) -> list[Example]:
    """Return rows of many lengths, some of which share a prompt."""
    rng = random.Random(5)
    prompts = [tuple(rng.randrange(2, 258) for _ in range(rng.randrange(3, 30))) for _ in range(count // 2)]
    return [
        Example(rng.choice(prompts), (*(rng.randrange(2, 258) for _ in range(rng.randrange(1, 20))), 1))
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_losses_and_weights_are_those_of_trl(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    # Steps that are long enough to be told apart, and a last step of fewer rows, in every epoch.
    changes = {"learning_rate": 1e-2 if name != "full" else 1e-3, "epochs": 2.5}
    if name == "packed":
        changes["most_tokens"] = 64
    spec, seed, rows = RECIPES[name].model_copy(update=changes), 11, rows_of(58)
    first = load_model(f"hf/{tiny_folder}")
    write_start(first.net, spec, seed, tmp_path / "start")
    start = {key: each.detach().clone() for key, each in first.net.named_parameters()}
    start |= {f"base_model.model.{key}": each for key, each in start.items()}
    ours = by_undertow(load_model(f"hf/{tiny_folder}").net, rows, spec, seed)
    base = load_model(f"hf/{tiny_folder}")
    theirs = by_trl(base.net, base.tokenizer, rows, spec, seed, tmp_path)
    curve, way = apart(ours, theirs, start)
    assert ours.losses[-1] < ours.losses[0]
    assert curve < LOSSES, (curve, way)
    assert way < WAYS, (curve, way)
