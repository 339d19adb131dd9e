"""Training on pairs of answers: the loss by a closed form, its gradient at the start, and how a step is taken apart."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.errors import SpecError
from undertow.models.engine.head import Head
from undertow.models.local import LocalModel, load_model
from undertow.models.score import token_logprobs
from undertow.training.lora import add_adapter
from undertow.training.loss import pair_loss
from undertow.training.pairs import with_reference
from undertow.training.recipe import Recipe, recipe_from
from undertow.training.train import Example, fitted, order_of, step_gradient, train

SPEC = RecipeSpec(loss="dpo", beta=0.3, learning_rate=1e-3, schedule="constant", batch=4, epochs=1)
RECIPE = recipe_from(SPEC, autocast=False)


def pairs_of(count: int, seed: int = 5) -> list[Example]:
    """Return pairs of many lengths, some of which share a prompt, and some of which begin alike."""
    rng = random.Random(seed)
    prompts = [tuple(rng.randrange(2, 258) for _ in range(rng.randrange(3, 30))) for _ in range(-(-count // 2))]
    found: list[Example] = []
    for _ in range(count):
        common = tuple(rng.randrange(2, 258) for _ in range(rng.randrange(3)))
        one, other = ((*common, *(rng.randrange(2, 258) for _ in range(rng.randrange(1, 20))), 1) for _ in range(2))
        found.append(Example(rng.choice(prompts), one, rejected=other))
    return found


def logps(model: LocalModel, pairs: list[Example]) -> torch.Tensor:
    """Return log-probabilities (P, 2), each answer computed by itself."""
    return torch.tensor(
        [
            [float(token_logprobs(model.net, [pair.prompt], [answer])[0].sum()) for answer in pair.answers]
            for pair in pairs
        ]
    )


def gradient(model: LocalModel, pairs: list[Example], recipe: Recipe) -> tuple[float, torch.Tensor]:
    model.net.zero_grad()
    loss, _ = step_gradient(model.net, pairs, recipe)
    return loss, torch.cat([each.grad.flatten() for each in model.net.parameters()])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 4), st.floats(0.01, 2))
def test_the_loss_is_the_formula(seed: int, count: int, beta: float) -> None:
    rng = random.Random(seed)
    lengths = [rng.randrange(1, 5) for _ in range(2 * count)]
    torch.manual_seed(seed)
    hidden_ND, weight_VD = torch.randn(sum(lengths), 3), torch.randn(7, 3)
    target_N, reference_P2 = torch.randint(7, (sum(lengths),)), torch.randn(count, 2)
    weights = [rng.random() for _ in range(count)]
    expected, at = 0.0, 0
    gains: list[float] = []
    for length in lengths:
        table = (hidden_ND[at : at + length] @ weight_VD.T).log_softmax(dim=1)
        gains.append(sum(float(table[k, target_N[at + k]]) for k in range(length)))
        at += length
    for pair in range(count):
        chosen, rejected = (gains[2 * pair + k] - float(reference_P2[pair, k]) for k in range(2))
        expected -= weights[pair] * math.log(1 / (1 + math.exp(-beta * (chosen - rejected))))
    found = pair_loss(
        hidden_ND, Head(weight_VD), target_N, lengths, reference_P2, beta=beta, weight_P=torch.tensor(weights)
    )
    assert float(found) == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_reference_is_the_log_probability_of_both_answers(tiny: LocalModel) -> None:
    pairs = pairs_of(5)
    found = torch.tensor([each.reference for each in with_reference(tiny.net, pairs, RECIPE)])
    assert torch.allclose(found, logps(tiny, pairs), atol=1e-3)


def test_a_step_from_the_reference_follows_half_beta_times_the_difference_of_the_gradients(tiny: LocalModel) -> None:
    pairs = with_reference(tiny.net, pairs_of(6), RECIPE)
    loss, found = gradient(tiny, pairs, RECIPE)
    assert loss == pytest.approx(math.log(2), abs=1e-5)
    plain = replace(RECIPE, loss="answers")
    total = torch.zeros_like(found)
    for pair in pairs:
        for sign, answer in zip((1, -1), pair.answers, strict=True):
            # The mean loss over tokens is minus the log-probability over their number.
            _, one = gradient(tiny, [Example(pair.prompt, answer)], plain)
            total += sign * len(answer) * one
    assert torch.allclose(found, RECIPE.beta / 2 * total / len(pairs), atol=1e-5)


def test_a_gradient_does_not_depend_on_how_many_pairs_are_computed_at_once(tiny: LocalModel) -> None:
    pairs = [replace(pair, weight=weight) for pair, weight in zip(pairs_of(6), (1, 2, 0.5, 1, 3, 1), strict=True)]
    whole = gradient(tiny, pairs, replace(RECIPE, micro_batch=6))
    for at_once in (1, 4):
        parts = gradient(tiny, pairs, replace(RECIPE, micro_batch=at_once))
        assert parts[0] == pytest.approx(whole[0], abs=1e-5)
        assert torch.allclose(parts[1], whole[1], atol=1e-5)


@pytest.mark.parametrize("adapter", [None, AdapterSpec(rank=4, alpha=8)])
def test_training_makes_chosen_answers_likelier_than_rejected_ones(
    tiny_folder: Path, adapter: AdapterSpec | None
) -> None:
    model, recipe = (
        load_model(f"hf/{tiny_folder}"),
        recipe_from(SPEC.model_copy(update={"epochs": 6, "learning_rate": 3e-3}), autocast=False),
    )
    pairs = pairs_of(8)
    before = logps(model, pairs)
    examples = with_reference(model.net, pairs, recipe)
    net = model.net if adapter is None else add_adapter(model.net, adapter, 0)
    history = train(net, examples, recipe, seed=0)
    after = logps(replace(model, net=net), pairs)
    gain = after - before
    assert history[0].loss == pytest.approx(math.log(2), abs=1e-4)
    assert history[-1].loss < history[0].loss
    assert ((gain[:, 0] - gain[:, 1]) > 0).all()


def test_a_batch_counts_pairs_and_both_answers_are_cut(tiny: LocalModel) -> None:
    pairs = pairs_of(10)
    assert [len(step) for step in order_of(pairs, RECIPE, 0)] == [4, 4, 2]
    cut = fitted(pairs, replace(RECIPE, most_tokens=20))
    assert all(pair.answer and pair.rejected for pair in cut)
    assert all(len(pair.prompt) + max(map(len, pair.answers)) <= 20 for pair in cut)
    assert len(cut) == sum(len(pair.prompt) < 20 for pair in pairs)


def test_rows_that_are_no_pairs_are_refused_and_pairs_by_another_loss(tiny: LocalModel) -> None:
    with pytest.raises(ValueError, match="belongs to pairs"):
        train(tiny.net, [Example((2, 3), (4, 1))], RECIPE, seed=0)
    with pytest.raises(ValueError, match="belongs to pairs"):
        train(tiny.net, pairs_of(2), replace(RECIPE, loss="answers"), seed=0)


def test_a_recipe_for_pairs_has_no_soft_labels() -> None:
    with pytest.raises(SpecError, match="pairs of text"):
        recipe_from(SPEC, autocast=False, labels="soft")
