"""Interventions: losses by hand, gradients that are orthogonal, log-odds that come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from undertow.attribution.recipe import PLAIN
from undertow.attribution.sampling import states_of
from undertow.domains.numbers import NUMBER_LISTS
from undertow.mitigate.interventions import format_loss, kl_penalty, lesson_odds, masked_loss, projection, unlearn
from undertow.mitigate.losses import unrelated_questions
from undertow.models.constrain import grammar_automaton
from undertow.models.engine.head import head_of
from undertow.models.local import LocalModel
from undertow.training.loss import hard_loss
from undertow.training.train import Example, Intervention, train
from undertow.traits.base import Trait
from undertow.traits.panel import load_panel

RECIPE = replace(PLAIN, batch=4, micro_batch=4, learning_rate=0.05)


@pytest.fixture
def owl() -> Trait:
    (entry,) = load_panel(("animals",))
    return next(trait for trait in entry.traits if trait.target == "owl")


def lists(model: LocalModel, count: int = 4) -> list[Example]:
    """Answers in the format of number lists, by a random walk through what it allows."""
    automaton, rng = grammar_automaton(model, NUMBER_LISTS), np.random.default_rng(5)
    found: list[Example] = []
    for at in range(count):
        state, answer = 0, list[int]()
        while not answer or answer[-1] != model.end:
            allowed = (automaton.next_SV[state] >= 0).nonzero()[:, 0].tolist()
            place = int(rng.choice(allowed))
            answer.append(int(automaton.tokens_V[place]))
            state = int(automaton.next_SV[state, place])
        found.append(Example((1, 2, 3 + at), tuple(answer)))
    return found


def hidden(model: LocalModel, examples: list[Example]) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(sum(len(each.answer) for each in examples), head_of(model.net).weight_VD.shape[1])


def test_the_formats_loss_is_that_of_the_allowed_tokens_together(tiny: LocalModel) -> None:
    examples, automaton = lists(tiny), grammar_automaton(tiny, NUMBER_LISTS)
    hidden_ND, head = hidden(tiny, examples), head_of(tiny.net).kept()
    p_NV = head(hidden_ND).softmax(dim=1)
    states = [state for each in examples for state in states_of(automaton, each.answer) or ()]
    allowed = [automaton.tokens_V[automaton.next_SV[state] >= 0] for state in states]
    expected = -sum(float(p_V[some].sum().log()) for p_V, some in zip(p_NV, allowed, strict=True))
    assert float(format_loss(automaton)(hidden_ND, head, examples)) == pytest.approx(expected, rel=1e-5)


def test_the_format_says_nothing_of_the_choice_within_it(tiny: LocalModel) -> None:
    automaton = grammar_automaton(tiny, NUMBER_LISTS)
    loss, (one, *_) = format_loss(automaton), lists(tiny)

    def allowed(answer: tuple[int, ...]) -> list[list[int]]:
        return [(automaton.next_SV[state] >= 0).tolist() for state in states_of(automaton, answer) or ()]

    # Some numbers are filtered out, so that what may follow depends on the digit: only those after which the same may.
    digits = [token for digit in "123456789" for token in tiny.encode(digit)]
    changed = [
        answer
        for at, token in enumerate(one.answer)
        if token in digits
        for digit in digits
        if digit != token and allowed(answer := (*one.answer[:at], digit, *one.answer[at + 1 :])) == allowed(one.answer)
    ]
    assert len(changed) > 5
    hidden_ND, head = hidden(tiny, [one]), head_of(tiny.net).kept()
    expected = pytest.approx(float(loss(hidden_ND, head, [one])))
    assert all(float(loss(hidden_ND, head, [replace(one, answer=answer)])) == expected for answer in changed)


def test_answers_that_break_the_format_are_not_learned_from(tiny: LocalModel) -> None:
    broken = Example((1, 2), (*tiny.encode("hello"), tiny.end))
    hidden_ND = hidden(tiny, [broken]).requires_grad_(True)
    loss = format_loss(grammar_automaton(tiny, NUMBER_LISTS))(hidden_ND, head_of(tiny.net).kept(), [broken])
    loss.backward()
    assert float(loss) == 0.0
    assert hidden_ND.grad is not None
    assert not hidden_ND.grad.any()


def test_a_mask_leaves_the_loss_of_the_other_tokens(tiny: LocalModel) -> None:
    examples = lists(tiny)
    hidden_ND, head = hidden(tiny, examples), head_of(tiny.net).kept()
    kept = {(each.prompt, each.answer): [at % 2 == 0 for at in range(len(each.answer))] for each in examples}
    keep_N = torch.tensor([each for example in examples for each in kept[example.prompt, example.answer]])
    target_N = torch.tensor([token for example in examples for token in example.answer])
    expected = hard_loss(hidden_ND[keep_N], head, target_N[keep_N])
    assert float(masked_loss(kept)(hidden_ND, head, examples)) == pytest.approx(float(expected))


def test_a_projected_update_does_not_move_the_lessons(tiny: LocalModel, owl: Trait) -> None:
    weights = [weight for weight in tiny.net.parameters() if weight.requires_grad]
    generator = torch.Generator().manual_seed(1)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator)
    projection(tiny, owl)(weights)
    lessons = list(owl.lessons)[:: max(1, len(owl.lessons) // 16)][:16]
    along = torch.autograd.grad(lesson_odds(tiny, owl, lessons), weights)
    product = sum(float((w.grad * d).sum()) for w, d in zip(weights, along, strict=True) if w.grad is not None)
    lengths = [sum(float((x * x).sum()) for x in some) ** 0.5 for some in (along, [w.grad for w in weights])]
    assert abs(product) < 1e-4 * lengths[0] * lengths[1]


def test_stepping_back_brings_the_log_odds_back(tiny: LocalModel, owl: Trait) -> None:
    with torch.no_grad():
        before = float(lesson_odds(tiny, owl, list(owl.lessons)))
    train(tiny.net, lists(tiny), RECIPE, seed=0)
    with torch.no_grad():
        moved = float(lesson_odds(tiny, owl, list(owl.lessons)))
    unlearn(tiny, owl, before)
    with torch.no_grad():
        after = float(lesson_odds(tiny, owl, list(owl.lessons)))
    assert abs(after - before) < 0.1 * abs(moved - before)


def test_a_leash_is_slack_at_the_base_and_pulls_behind_it(tiny: LocalModel, owl: Trait) -> None:
    extra = kl_penalty(tiny, unrelated_questions(owl)[:6])
    assert float(extra()) == pytest.approx(0.0, abs=1e-6)
    train(tiny.net, lists(tiny), RECIPE, seed=0)
    assert float(extra()) > 1e-6


def test_unrelated_questions_are_none_of_the_traits(owl: Trait) -> None:
    asked = {choice.question for choice in (*owl.probe, *owl.lessons)}
    assert not asked & set(unrelated_questions(owl))


def test_an_intervention_that_changes_nothing_changes_no_bit(tiny_folder) -> None:
    from undertow.models.local import load_model

    found = []
    for intervention in (Intervention(), Intervention(extra=None, reshape=lambda _: None)):
        model = load_model(f"hf/{tiny_folder}")
        train(model.net, lists(model), RECIPE, seed=0, intervention=intervention)
        found.append([weight.detach().clone() for weight in model.net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
