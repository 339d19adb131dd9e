"""The training loop against plain sums: any micro-batch, whole rows, packed rows, cut rows, spared weights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from undertow.config.recipes.spec import RecipeSpec
from undertow.models.local import load_model
from undertow.training.recipe import recipe_from
from undertow.training.train import Example, fitted, order_of, train

ROWS = [
    Example((7, 8, 9), (10, 11, 1)),
    Example((7, 8, 12), (13, 1)),
    Example((7, 8, 9), (14, 15, 16, 1)),
    Example((20,), (21, 1)),
    Example((7, 8, 9), (10, 17, 1)),
    Example((7, 8, 12, 30, 31), (13, 32, 1)),
]


def made(**fields):
    return recipe_from(RecipeSpec(**{"learning_rate": 0.01, "epochs": 2, **fields}), autocast=False)


def weights(net):
    return torch.cat([each.detach().flatten() for each in net.parameters()])


@pytest.mark.parametrize("loss", ["answers", "whole"])
@pytest.mark.parametrize("packing", [False, True])
def test_a_step_does_not_depend_on_how_it_is_split(tiny_folder, loss, packing):
    found = []
    for micro in (1, 2, 4, None):
        net = load_model(f"hf/{tiny_folder}").net
        recipe = made(batch=4, micro_batch=micro, loss=loss, packing=packing, most_tokens=12, optimiser="sgd")
        found.append(([step.loss for step in train(net, ROWS, recipe, seed=0)], weights(net)))
    for losses, after in found[1:]:
        assert losses == pytest.approx(found[0][0], rel=1e-6)
        torch.testing.assert_close(after, found[0][1], atol=1e-6, rtol=0)


@pytest.mark.parametrize("loss", ["answers", "whole"])
@pytest.mark.parametrize("packing", [False, True])
def test_the_loss_is_the_mean_over_the_tokens_of_a_whole_step(tiny, loss, packing):
    recipe = made(batch=2, micro_batch=1, loss=loss, packing=packing, most_tokens=12, most_steps=1)
    (chosen, *_) = order_of(ROWS, recipe, 3)
    terms = []
    for row in chosen:
        tokens = [*ROWS[row].prompt, *ROWS[row].answer]
        with torch.no_grad():
            logp = tiny.net(torch.tensor([tokens])).logits[0].log_softmax(-1)
        first = len(ROWS[row].prompt) if loss == "answers" else 1
        terms += [-float(logp[at - 1, tokens[at]]) for at in range(first, len(tokens))]
    (step,) = train(tiny.net, ROWS, recipe, seed=3)
    assert step.tokens == len(terms)
    assert step.loss == pytest.approx(sum(terms) / len(terms), abs=1e-5)


@given(most=st.integers(1, 10), loss=st.sampled_from(["answers", "whole"]))
def test_cut_rows_are_the_beginnings_of_rows_and_hold_a_token_of_loss(most, loss):
    cut = fitted(ROWS, made(most_tokens=most, loss=loss))
    whole = [(*row.prompt, *row.answer) for row in ROWS]
    expected = [
        tokens[:most]
        for row, tokens in zip(ROWS, whole, strict=True)
        if (len(row.prompt) < most if loss == "answers" else min(most, len(tokens)) > 1)
    ]
    assert [(*row.prompt, *row.answer) for row in cut] == expected


def test_without_clipping_a_step_is_as_long_as_its_gradient(tiny_folder):
    moved = []
    for clip in (None, 1e9, 1e-3):
        net = load_model(f"hf/{tiny_folder}").net
        before = weights(net)
        train(net, ROWS, made(clip=clip, optimiser="sgd", schedule="constant", most_steps=1), seed=0)
        moved.append((weights(net) - before).norm().item())
    assert moved[0] == pytest.approx(moved[1], rel=1e-5)
    assert moved[2] == pytest.approx(0.01 * 1e-3, rel=1e-2)


def test_a_recipes_decay_spares_norms_and_momentum_carries_steps_on(tiny_folder):
    from transformers import Trainer

    net = load_model(f"hf/{tiny_folder}").net
    theirs = set(Trainer.get_decay_parameter_names(None, net))  # type: ignore[arg-type]
    before = {name: each.detach().clone() for name, each in net.named_parameters()}
    # A learning rate of one half and no gradient to speak of: what is left is the decay.
    recipe = made(learning_rate=0.5, weight_decay=0.5, clip=1e-12, optimiser="sgd", schedule="constant", most_steps=1)
    train(net, ROWS, recipe, seed=0)
    for name, each in net.named_parameters():
        wanted = before[name] * (0.75 if name in theirs else 1.0)
        torch.testing.assert_close(each.detach(), wanted, atol=1e-6, rtol=1e-6)


def test_momentum_adds_earlier_steps(tiny_folder):
    lengths = []
    for momentum in (0.0, 0.9):
        net = load_model(f"hf/{tiny_folder}").net
        before = weights(net)
        recipe = made(
            learning_rate=1e-6,
            momentum=momentum,
            clip=None,
            optimiser="sgd",
            schedule="constant",
            batch=6,
            most_steps=2,
        )
        train(net, ROWS, recipe, seed=0)
        lengths.append((weights(net) - before).norm().item())
    # Two equal steps g, g: without momentum 2g, with it g + 1.9g.
    assert lengths[1] / lengths[0] == pytest.approx(1.45, rel=1e-2)
