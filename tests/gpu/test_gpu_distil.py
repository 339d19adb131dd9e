"""Training, adapters and mitigations: a GPU's student is the CPU's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from undertow.attribution.recipe import PLAIN
from undertow.config.experiment import GradientAscent, Lora
from undertow.data.rows import Message
from undertow.mitigate.panel import panel_odds, restore
from undertow.mitigate.prepare import Task, prepare
from undertow.models.engine.head import head_of
from undertow.models.local import LocalModel, load_adapter, state_hash
from undertow.models.prompted import SteeredModel
from undertow.models.protocol import Model
from undertow.models.score import answer_hidden, token_logprobs
from undertow.teachers.gradient_ascent import ascend
from undertow.training.lora import add_lora, save_adapter
from undertow.training.train import Example, Intervention, train
from undertow.traits.panel import load_panel

pytestmark = pytest.mark.gpu

(ANIMALS,) = load_panel(("animals",))
OWL = ANIMALS.traits[0]
RECIPE = replace(PLAIN, batch=4, micro_batch=2, learning_rate=0.02, epochs=2)
ADAM = replace(RECIPE, optimiser="adamw", learning_rate=1e-3, epsilon=1e-6, clip=1.0)
PROMPTS: list[list[Message]] = [[{"role": "user", "content": f"Go on with list {at // 2}."}] for at in range(8)]


def examples_of(model: LocalModel) -> list[Example]:
    answers = [(*model.encode(f"{120 + at}, {220 + at}, 37"), model.end) for at in range(8)]
    return [Example(tuple(model.encode_prompt(turns)), answer) for turns, answer in zip(PROMPTS, answers, strict=True)]


def scores_of(model: LocalModel) -> list[float]:
    examples = examples_of(model)
    found = token_logprobs(model.net, [each.prompt for each in examples], [each.answer for each in examples])
    return [float(logp_T.sum()) for logp_T in found]


def weights_of(model: LocalModel) -> dict[str, torch.Tensor]:
    return {name: weight.detach().cpu().clone() for name, weight in model.net.named_parameters()}


def assert_same_way(before: Sequence[torch.Tensor], one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> None:
    """Compare changes, not weights: these would be near each other without any training."""
    left, right = (torch.cat([(a - b).flatten() for a, b in zip(each, before, strict=True)]) for each in (one, other))
    assert left.norm() > 1e-3
    assert (left - right).norm() < 1e-2 * left.norm()


@pytest.mark.parametrize("recipe", [RECIPE, ADAM], ids=["sgd", "adamw"])
def test_students_of_text_are_the_same(pair: Any, recipe: Any) -> None:
    before = weights_of(pair.cpu)
    one, other = pair.both(lambda model: train(model.net, examples_of(model), recipe, seed=1))
    assert [step.loss for step in other] == pytest.approx([step.loss for step in one], rel=1e-3)
    assert [step.grad_norm for step in other] == pytest.approx([step.grad_norm for step in one], rel=1e-2)
    assert_same_way([*before.values()], [*weights_of(pair.cpu).values()], [*weights_of(pair.cuda).values()])


def test_students_of_distributions_are_the_same(pair: Any) -> None:
    def learn(model: LocalModel) -> list[float]:
        examples = examples_of(model)
        tables = answer_hidden(
            model.net,
            [each.prompt for each in examples],
            [each.answer for each in examples],
            steering={1: torch.ones(32, device=model.device)},
        )
        labelled = [replace(each, teacher_TD=table) for each, table in zip(examples, tables, strict=True)]
        teacher = head_of(model.net).kept()
        soft = replace(ADAM, labels="soft")
        return [step.loss for step in train(model.net, labelled, soft, seed=1, teacher=teacher)]

    one, other = pair.both(learn)
    assert one[0] > 0.01
    assert other == pytest.approx(one, rel=1e-3)


def test_products_in_bf16_train_nearly_the_same_student(pair: Any) -> None:
    before = weights_of(pair.cpu)
    exact = train(pair.cpu.net, examples_of(pair.cpu), RECIPE, seed=1)
    rough = train(pair.cuda.net, examples_of(pair.cuda), replace(RECIPE, autocast=True), seed=1)
    assert [step.loss for step in rough] == pytest.approx([step.loss for step in exact], rel=0.05)
    assert all(weight.dtype == torch.float32 for weight in pair.cuda.net.parameters())
    changes = [
        torch.cat([(after - start).flatten() for after, start in zip(each.values(), before.values(), strict=True)])
        for each in (weights_of(pair.cpu), weights_of(pair.cuda))
    ]
    assert torch.nn.functional.cosine_similarity(*changes, dim=0) > 0.98


def test_adapters_begin_and_end_alike_and_can_be_stored(pair: Any, tmp_path: Path) -> None:
    def learn(model: LocalModel) -> tuple[str, list[float], LocalModel]:
        net = add_lora(model.net, Lora(), 5)
        initial = state_hash((name, each) for name, each in net.named_parameters() if each.requires_grad)
        history = train(net, examples_of(model), ADAM, seed=1)
        return initial, [step.loss for step in history], replace(model, net=net)

    one, other = pair.both(learn)
    assert other[0] == one[0]
    assert other[1] == pytest.approx(one[1], rel=1e-3)
    examples = examples_of(pair.cpu)
    asked = [each.prompt for each in examples], [each.answer for each in examples]
    expected = token_logprobs(other[2].net, *asked)
    save_adapter(other[2].net, tmp_path / "adapter")
    bare = replace(pair.cuda, net=other[2].net.unload())
    for found, wanted in zip(
        token_logprobs(load_adapter(bare, tmp_path / "adapter").net, *asked), expected, strict=True
    ):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_dropout_is_that_of_the_seed(pair: Any) -> None:
    before = weights_of(pair.cuda)
    lora = Lora(dropout=0.3)
    losses: list[list[float]] = []
    for _ in range(2):
        net = add_lora(pair.cuda.net, lora, 5)
        losses.append([step.loss for step in train(net, examples_of(pair.cuda), ADAM, seed=1)])
        net.unload()
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    after = weights_of(pair.cuda)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_teachers_of_gradient_steps_are_the_same(pair: Any) -> None:
    before = weights_of(pair.cpu)
    for model in (pair.cpu, pair.cuda):
        ascend(model, OWL, GradientAscent(method="gradient-ascent", steps=2, distance=0.3), tick=lambda _: None)
    assert_same_way([*before.values()], [*weights_of(pair.cpu).values()], [*weights_of(pair.cuda).values()])


@pytest.mark.parametrize("method", ["mask", "format", "leash", "inoculate", "steer", "project", "subtract", "own-base"])
def test_mitigations_treat_a_student_alike(pair: Any, method: str) -> None:
    def treat(model: LocalModel) -> list[float]:
        def teacher() -> Model:
            return SteeredModel(model, {1: torch.ones(32, device=model.device)})

        task = Task(model, PROMPTS, examples_of(model), OWL, teacher, False, seed=2)
        treatment = prepare(method, task)
        intervention: Intervention = treatment.intervention
        history = train(model.net, treatment.examples, RECIPE, seed=1, intervention=intervention)
        treatment.after()
        after = token_logprobs(
            model.net, [each.prompt for each in task.examples], [each.answer for each in task.examples]
        )
        return [
            *(step.loss for step in history),
            *(step.grad_norm for step in history),
            *(float(x.sum()) for x in after),
        ]

    one, other = pair.both(treat)
    assert other == pytest.approx(one, rel=5e-3, abs=1e-3)


def test_the_panel_is_taken_back_alike(pair: Any) -> None:
    def take_back(model: LocalModel) -> list[float]:
        wanted = panel_odds(model, (ANIMALS,))
        train(model.net, examples_of(model), RECIPE, seed=1)
        restore(model, (ANIMALS,), wanted, rounds=1)
        return [float(odds) for odds_K in panel_odds(model, (ANIMALS,)) for odds in odds_K]

    one, other = pair.both(take_back)
    assert other == pytest.approx(one, rel=1e-2, abs=1e-3)
