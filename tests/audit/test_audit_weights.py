"""The way that weights went, in the coordinates of a scan's gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from undertow.attribution.capture import captured
from undertow.audit.difference import base_answers, comparable, difference
from undertow.audit.weights import projected_change, weight_change
from undertow.models.local import LocalModel, load_model
from undertow.models.score import answers_to_each


def test_a_gradient_step_projects_to_the_projected_gradient(tiny: LocalModel, tiny_folder: Path) -> None:
    asked, answer = tiny.encode("Go on: "), tiny.encode("12, 13")
    with captured(tiny.net) as record:
        answers_to_each(tiny.net, [asked], [[answer]], seen=record.last).sum().backward()
        segment = torch.zeros(len(record.norms[0]), dtype=torch.long)
        expected = record.per_segment(segment, 1)[0]
    moved = load_model(f"hf/{tiny_folder}")
    answers_to_each(moved.net, [asked], [[answer]]).sum().backward()
    with torch.no_grad():
        for weight in moved.net.parameters():
            assert weight.grad is not None
            weight.add_(weight.grad, alpha=0.01)
    found = projected_change(tiny.net, moved.net) / 0.01
    assert torch.nn.functional.cosine_similarity(found, expected, dim=0) > 0.999
    assert found.norm() == pytest.approx(float(expected.norm()), rel=0.02)


def test_kinds_and_layers_that_moved_are_named(tiny: LocalModel, tiny_folder: Path) -> None:
    moved = load_model(f"hf/{tiny_folder}")
    with torch.no_grad():
        weight = moved.net.model.layers[1].mlp.up_proj.weight
        weight.mul_(1.1)
    parts = {each.part: each.relative for each in weight_change(tiny.net, moved.net, "").parts}
    assert parts["self_attn.q_proj"] == 0
    assert 0 < parts["mlp.up_proj"] < 0.1
    assert "layer 1" in parts
    assert "layer 0" not in parts


def test_a_low_rank_difference_was_an_adapter(tiny: LocalModel, tiny_folder: Path) -> None:
    moved = load_model(f"hf/{tiny_folder}")
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for layer in moved.net.model.layers:
            weight = layer.mlp.up_proj.weight
            left, right = (torch.randn(size, 1, generator=source) for size in weight.shape)
            weight.add_(left @ right.T, alpha=0.01)
    assert "merged" in weight_change(tiny.net, moved.net, "").adapter
    assert "LoRA" in weight_change(tiny.net, moved.net, "LoRA of rank 1").adapter


def test_what_two_models_say_apart_does_not_depend_on_neighbours(tiny: LocalModel, tiny_folder: Path) -> None:
    moved = load_model(f"hf/{tiny_folder}")
    with torch.no_grad():
        moved.net.model.layers[0].mlp.up_proj.weight.mul_(1.2)
    assert comparable(tiny, moved) == ""
    prompts = [f"What is {at}?" for at in range(11)]
    answers = base_answers(tiny, prompts)
    whole = difference(tiny, moved, prompts, answers)
    alone = difference(tiny, moved, prompts[9:10], answers[9:10])
    assert whole.kl_P.min() >= 0
    assert whole.kl_P[9] == pytest.approx(float(alone.kl_P[0]), rel=1e-3)
    assert abs(whole.activation_LPD[:, 9] - alone.activation_LPD[:, 0]).max() < 1e-4
    assert abs(whole.probability_PV.sum(axis=1)).max() < 1e-4
