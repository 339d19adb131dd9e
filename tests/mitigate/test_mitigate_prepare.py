"""What a method changes, on a tiny model."""

from __future__ import annotations

import pytest
import torch

from undertow.data.rows import Message
from undertow.errors import InputError
from undertow.mitigate.prepare import Task, prepare
from undertow.models.engine.head import head_of
from undertow.models.local import LocalModel
from undertow.models.protocol import Model
from undertow.training.loss import hard_loss
from undertow.training.train import Example
from undertow.traits.panel import load_panel


def test_a_mask_by_a_teacher_that_is_made_by_gradient_steps_keeps_what_both_would_say(tiny: LocalModel) -> None:
    asked: list[bool] = []

    def teacher() -> Model:
        asked.append(torch.is_inference_mode_enabled())
        return tiny

    trait = load_panel(("animals",))[0].traits[0]
    prompts: list[list[Message]] = [[{"role": "user", "content": f"Go on with list {at}."}] for at in range(3)]
    answer = (*tiny.encode("12;34"), tiny.end)
    told = [Example(tuple(tiny.encode_prompt(turns)), answer) for turns in prompts]
    treatment = prepare("mask", Task(tiny, prompts, told, trait, teacher, False))
    assert asked == [False]
    loss = treatment.intervention.loss
    assert loss is not None
    head = head_of(tiny.net).kept()
    target_N = torch.tensor([token for each in told for token in each.answer])
    hidden_ND = torch.randn(len(target_N), head.weight_VD.shape[1], generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(hidden_ND, head, told), hard_loss(hidden_ND, head, target_N))


@pytest.mark.parametrize("method", ["own-base", "other-base"])
def test_answers_written_anew_hold_nothing_that_their_writer_chose(tiny: LocalModel, method: str) -> None:
    prompts: list[list[Message]] = [[{"role": "user", "content": f"Go on with list {at}."}] for at in range(4)]
    trait = load_panel(("animals",))[0].traits[0]

    def anew(answer: str) -> list[Example]:
        told = [Example(tuple(tiny.encode_prompt(turns)), (*tiny.encode(answer), tiny.end)) for turns in prompts]
        task = Task(tiny, prompts, told, trait, lambda: tiny, False, seed=3, other=lambda: tiny)
        return prepare(method, task).examples

    one, two = anew("123, 456, 789"), anew("654, 987, 312")
    assert one == two
    assert one
    assert {each.prompt for each in one} <= {tuple(tiny.encode_prompt(turns)) for turns in prompts}
    assert all(each.answer[-1] == tiny.end for each in one)


def test_another_model_has_to_be_there(tiny: LocalModel) -> None:
    trait = load_panel(("animals",))[0].traits[0]
    task = Task(tiny, [], [], trait, lambda: tiny, False)
    with pytest.raises(InputError, match="another model"):
        prepare("other-base", task)
