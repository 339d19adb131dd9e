"""Virtual students: the base gets its weights back, and steps are those of a plain student."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from undertow.attribution.recipe import LONGEST, PLAIN, rates_of
from undertow.attribution.sampling import Encoded, Sampling, states_of
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.probes.panel import panel_log_odds
from undertow.scan.virtual import portions, together, virtual_student
from undertow.training.recipe import steps_of
from undertow.training.train import Example, train
from undertow.traits.panel import load_panel

RECIPE = replace(PLAIN, batch=4, micro_batch=4, learning_rate=0.05)


def rows_of(count: int, seed: int = 0) -> list[Encoded]:
    rng = np.random.default_rng(seed)
    return [
        Encoded((1, 2, 3 + at // 2), tuple(int(token) for token in rng.integers(3, 40, size=6))) for at in range(count)
    ]


def weights_of(model: LocalModel) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in model.net.parameters()]


def test_the_base_gets_its_weights_back_whatever_happens(tiny: LocalModel) -> None:
    before = weights_of(tiny)
    asked = [weight.requires_grad for weight in tiny.net.parameters()]
    with virtual_student(tiny, rows_of(8), Sampling(), read=8, seed=0, recipe=RECIPE):
        assert any(not torch.equal(a, b) for a, b in zip(before, weights_of(tiny), strict=True))
    with (
        pytest.raises(KeyboardInterrupt),
        virtual_student(tiny, rows_of(8), Sampling(), read=8, seed=0, recipe=RECIPE),
    ):
        raise KeyboardInterrupt
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(tiny), strict=True))
    assert [weight.requires_grad for weight in tiny.net.parameters()] == asked


def assert_a_student_is(tiny: LocalModel, rows: list[Encoded], virtual: list[torch.Tensor]) -> None:
    """Train the model itself on the rows, and hold its weights beside those of a virtual student."""
    for weight in tiny.net.parameters():
        weight.requires_grad_(True)
    before = weights_of(tiny)
    train(tiny.net, [Example(row.prompt, row.answer) for row in rows], RECIPE, seed=3)
    for was, found, real in zip(before, virtual, weights_of(tiny), strict=True):
        torch.testing.assert_close(found - was, real - was, rtol=1e-3, atol=1e-6)


def test_in_free_text_at_temperature_one_it_is_the_student_itself(tiny: LocalModel) -> None:
    rows = rows_of(16)
    with virtual_student(tiny, rows, Sampling(), read=16, seed=3, recipe=RECIPE) as student:
        virtual = weights_of(student)
    assert_a_student_is(tiny, rows, virtual)


def test_the_answers_of_a_conversation_are_one_row_of_a_step_as_in_training(tiny: LocalModel) -> None:
    rows = rows_of(24)
    row_R = [at // 3 for at in range(24)]
    with virtual_student(tiny, rows, Sampling(), read=8, seed=3, row_R=row_R, recipe=RECIPE) as student:
        virtual = weights_of(student)
    for weight in tiny.net.parameters():
        weight.requires_grad_(True)
    before = weights_of(tiny)
    examples = [Example(row.prompt, row.answer, row=at) for row, at in zip(rows, row_R, strict=True)]
    history = train(tiny.net, examples, RECIPE, seed=3)
    assert len(history) == steps_of(8, RECIPE) == len(rates_of(8, RECIPE)) == 2
    assert [step.tokens for step in history] == [72, 72]
    for was, found, real in zip(before, virtual, weights_of(tiny), strict=True):
        torch.testing.assert_close(found - was, real - was, rtol=1e-3, atol=1e-6)


def lists(model: LocalModel, count: int, temperature: float = 1.0) -> tuple[list[Encoded], Sampling]:
    """Return number lists that the base wrote."""
    automaton = grammar_automaton(model, NUMBER_LISTS)
    prompts = [tuple(model.encode(f"Go on with {at // 2}.")) for at in range(count)]
    answers = generate(
        model.net,
        prompts,
        range(count),
        seed=1,
        end=model.end,
        max_tokens=12,
        temperature=temperature,
        automaton=automaton,
    )
    rows: list[Encoded] = []
    for prompt, written in zip(prompts, answers, strict=True):
        answer = (*written.tokens, *([model.end] if written.finished else []))
        rows.append(Encoded(prompt, answer, states_of(automaton, answer)))
    return rows, Sampling(automaton, temperature)


@pytest.mark.parametrize("own", [False, True])
def test_a_step_is_the_same_however_few_rows_are_read_at_once(
    tiny: LocalModel, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, sampling = lists(tiny, 16, temperature=0.8)
    found: list[list[torch.Tensor]] = []
    for most in (4096, 40, 1):
        monkeypatch.setattr("undertow.scan.virtual.tokens_that_fit", lambda net, most=most: most)
        with virtual_student(tiny, rows, sampling, read=16, seed=3, recipe=RECIPE, own=own, whole=own) as student:
            found.append(weights_of(student))
    for weights in zip(*found, strict=True):
        for each in weights[1:]:
            torch.testing.assert_close(each, weights[0], rtol=1e-4, atol=1e-6)


def test_of_the_whole_loss_it_is_the_student_itself(tiny: LocalModel) -> None:
    rows, sampling = lists(tiny, 16)
    with virtual_student(
        tiny, rows, replace(sampling, temperature=0.7), read=16, seed=3, recipe=RECIPE, whole=True
    ) as it:
        virtual = weights_of(it)
    assert_a_student_is(tiny, rows, virtual)


def test_what_the_base_would_have_written_is_the_bases_to_the_end(tiny: LocalModel) -> None:
    rows, sampling = lists(tiny, 16, 0.8)
    automaton = sampling.automaton
    assert automaton is not None
    base, student = copy.deepcopy(tiny.net), copy.deepcopy(tiny.net)
    for rate, step in zip(rates_of(16, RECIPE), portions([row.prompt for row in rows], 4, RECIPE, 0), strict=True):
        losses: list[torch.Tensor] = []
        for row in (rows[at] for at in step):
            text, start = torch.tensor([[*row.prompt, *row.answer[:-1]]]), len(row.prompt) - 1
            allowed_TV = automaton.next_SV[torch.tensor(row.states)] >= 0
            with torch.no_grad():
                logits_TV = base(text).logits[0, start:][:, automaton.tokens_V] / 0.8
            chance_TV = logits_TV.masked_fill(~allowed_TV, float("-inf")).softmax(dim=1)
            logp_TV = student(text).logits[0, start:].log_softmax(dim=1)[:, automaton.tokens_V]
            losses.append(-(chance_TV * logp_TV).sum(dim=1))
        torch.cat(losses).mean().backward()
        with torch.no_grad():
            for weight in student.parameters():
                if weight.grad is not None:
                    weight.sub_(rate * weight.grad)
                    weight.grad = None
    before = weights_of(tiny)
    with virtual_student(tiny, rows, sampling, read=16, seed=0, recipe=RECIPE, whole=True, own=True) as found:
        for was, real, virtual in zip(before, student.parameters(), weights_of(found), strict=True):
            torch.testing.assert_close(virtual - was, real - was, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("whole", "moves"), [(False, False), (True, True)])
def test_what_the_base_would_have_written_teaches_the_format_alone(tiny: LocalModel, whole: bool, moves: bool) -> None:
    rows, sampling = lists(tiny, 8, 0.8)
    before = weights_of(tiny)
    with virtual_student(tiny, rows, sampling, read=8, seed=0, recipe=RECIPE, whole=whole, own=True) as student:
        moved = max(float((a - b).abs().max()) for a, b in zip(before, weights_of(student), strict=True))
    if moves:
        assert moved > 1e-3
    else:
        assert moved < 1e-6


def test_what_the_base_would_have_written_is_what_its_rows_teach_on_average(tiny: LocalModel) -> None:
    rows, sampling = lists(tiny, 1600)
    once = replace(RECIPE, batch=1600, micro_batch=1600, learning_rate=1.0)

    def step(own: bool) -> torch.Tensor:
        before = weights_of(tiny)
        with virtual_student(tiny, rows, sampling, read=1600, seed=0, recipe=once, whole=True, own=own) as student:
            return torch.cat([(a - b).flatten() for a, b in zip(weights_of(student), before, strict=True)])

    one, many = step(True), step(False)
    assert float(torch.cosine_similarity(one, many, dim=0)) > 0.97


@pytest.mark.parametrize("count", [2, 7, 16, 90])
@pytest.mark.parametrize("read", [16, 100, 5000])
def test_every_row_is_read_once_at_most_and_steps_are_even(count: int, read: int) -> None:
    steps = len(rates_of(read, RECIPE))
    parts = portions([row.prompt for row in rows_of(count)], steps, RECIPE, seed=0)
    assert len(parts) == steps <= LONGEST
    read_rows = [row for part in parts for row in part]
    assert len(read_rows) == len(set(read_rows)) == min(count, steps * RECIPE.batch)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= RECIPE.batch


@pytest.mark.parametrize(
    ("rows", "read", "steps"), [(128, 128, 8), (64, 64, 4), (100, 1000, 12), (64, 1000, 8), (2, 1000, 8), (5, 16, 1)]
)
def test_few_rows_make_fewer_and_longer_steps(rows: int, read: int, steps: int) -> None:
    rates = rates_of(read)
    found = together(rates, rows, PLAIN.batch)
    assert len(found) == steps
    assert sum(found) == pytest.approx(sum(rates))
    assert max(found) <= 3 * max(rates) + 1e-12


def test_asking_is_the_panels_order(tiny: LocalModel) -> None:
    panel = load_panel(("curtness", "animals"))
    asked = panel_log_odds(tiny, panel, questions=4)
    assert len(asked) == sum(len(entry.targets) for entry in panel)
    assert all(each.shape == (4,) for each in asked)
    turned = panel_log_odds(tiny, panel[::-1], questions=4)
    np.testing.assert_allclose(turned[-1], asked[0], atol=1e-5)
