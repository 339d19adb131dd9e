"""What a method changes, on a tiny model."""

from __future__ import annotations

import torch

from undertow.distil.loss import hard_loss
from undertow.distil.train import Example
from undertow.mitigate.prepare import Task, prepare
from undertow.models.layers import output_weight
from undertow.models.local import LocalModel
from undertow.probes.choice import Subject
from undertow.rows import Message
from undertow.traits.panel import load_panel


def test_a_mask_by_a_teacher_that_is_made_by_gradient_steps_keeps_what_both_would_say(tiny: LocalModel) -> None:
    asked: list[bool] = []

    def teacher() -> Subject:
        asked.append(torch.is_inference_mode_enabled())
        return Subject(tiny)

    trait = load_panel(("animals",))[0].traits[0]
    prompts: list[list[Message]] = [[{"role": "user", "content": f"Go on with list {at}."}] for at in range(3)]
    answer = (*tiny.encode("12;34"), tiny.end)
    told = [Example(tuple(tiny.encode_prompt(turns)), answer) for turns in prompts]
    treatment = prepare("mask", Task(tiny, prompts, told, trait, teacher, False))
    assert asked == [False]
    loss = treatment.intervention.loss
    assert loss is not None
    weight_VD = output_weight(tiny.net).detach()
    target_N = torch.tensor([token for each in told for token in each.answer])
    hidden_ND = torch.randn(len(target_N), weight_VD.shape[1], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(hidden_ND, weight_VD, told), hard_loss(hidden_ND, weight_VD, target_N))
