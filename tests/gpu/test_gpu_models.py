"""Scores, texts, precision and directions of steering: the same on a GPU as on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.generate import generate
from undertow.models.local import LocalModel, state_hash
from undertow.models.noise import row_key, uniform
from undertow.models.precision import choose_precision, matrix_speed
from undertow.models.score import answer_hidden, answers_to_each, token_logprobs
from undertow.probes.choice import choice_logprobs
from undertow.teachers.steering import steering_vector
from undertow.traits.panel import load_panel

pytestmark = pytest.mark.gpu

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
(ANIMALS,) = load_panel(("animals",))
PROMPTS = [(1, 2, 3 + at) for at in range(24)]
ANSWERS = [(5 + at, 6, 7, 8)[: 1 + at % 4] for at in range(24)]


def test_the_weights_are_the_same_bytes(pair: Any) -> None:
    one, other = pair.both(lambda model: state_hash(model.net.named_parameters()))
    assert one == other


def test_noise_is_the_same_bits() -> None:
    drawn = [
        uniform(
            row_key(3, torch.arange(9, device=device)),
            torch.arange(9, device=device),
            torch.arange(300, device=device),
        ).cpu()
        for device in ("cpu", "cuda")
    ]
    assert torch.equal(*drawn)


def test_options_have_the_same_log_probabilities(pair: Any) -> None:
    one, other = pair.both(lambda model: choice_logprobs(model, ANIMALS.probe[:12]))
    np.testing.assert_allclose(other, one, **CLOSE)


@pytest.mark.parametrize("steered", [False, True])
def test_answers_have_the_same_log_probabilities(pair: Any, steered: bool) -> None:
    def score(model: LocalModel) -> list[torch.Tensor]:
        steering = {1: torch.ones(32, device=model.device)} if steered else None
        return token_logprobs(model.net, PROMPTS, ANSWERS, steering=steering, tokens_at_once=40)

    for one, other in zip(*pair.both(score), strict=True):
        assert other.device.type == "cpu"
        torch.testing.assert_close(other, one, **CLOSE)


def test_answers_in_one_row_flow_the_same_gradients(pair: Any) -> None:
    def gradients(model: LocalModel) -> list[torch.Tensor]:
        contexts, answers = [list(each) for each in PROMPTS[:4]], [[[5], [6, 7], [6, 8]]] * 4
        answers_to_each(model.net, contexts, answers)[:, 0].sum().backward()
        return [weight.grad.cpu() for weight in model.net.parameters()]

    for one, other in zip(*pair.both(gradients), strict=True):
        torch.testing.assert_close(other, one, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_same_seed_writes_the_same_text(pair: Any, constrained: bool, temperature: float) -> None:
    def write(model: LocalModel) -> list[Any]:
        return generate(
            model.net,
            PROMPTS,
            range(24),
            seed=3,
            end=model.end,
            max_tokens=20,
            temperature=temperature,
            automaton=grammar_automaton(model, NUMBER_LISTS) if constrained else None,
            batch=7,
            keep_hidden=True,
        )

    one, other = pair.both(write)
    assert [each.tokens for each in other] == [each.tokens for each in one]
    for left, right in zip(one, other, strict=True):
        assert right.hidden_TD.device.type == "cpu"
        torch.testing.assert_close(right.hidden_TD, left.hidden_TD, **CLOSE)


def test_hidden_states_kept_while_writing_are_those_of_a_forward_pass(pair: Any) -> None:
    model = pair.cuda
    written = generate(model.net, PROMPTS, range(24), seed=1, end=model.end, max_tokens=12, keep_hidden=True)
    answers = [(*answer.tokens, model.end) if answer.finished else answer.tokens for answer in written]
    for answer, table in zip(written, answer_hidden(model.net, PROMPTS, answers), strict=True):
        torch.testing.assert_close(answer.hidden_TD, table, **CLOSE)


@pytest.mark.parametrize("constrained", [False, True])
def test_bf16_weights_write_rows(pair: Any, constrained: bool) -> None:
    net = pair.cuda.net.to(torch.bfloat16)
    automaton = grammar_automaton(pair.cuda, NUMBER_LISTS) if constrained else None
    written = generate(net, PROMPTS, range(24), seed=3, end=pair.cuda.end, max_tokens=20, automaton=automaton)
    assert len(written) == 24
    exact = token_logprobs(pair.cpu.net, PROMPTS, ANSWERS)
    for one, rough in zip(exact, token_logprobs(net, PROMPTS, ANSWERS), strict=True):
        torch.testing.assert_close(rough, one, atol=0.1, rtol=0)


def test_a_steering_vector_is_the_same(pair: Any) -> None:
    one, other = pair.both(lambda model: steering_vector(model, ANIMALS.traits[0], 1))
    torch.testing.assert_close(other, one, **CLOSE)


def test_the_gpus_products_are_measured() -> None:
    assert choose_precision().because.startswith(("with the GPU's bf16 units", "the GPU has no bf16 units"))
    # More than processors do, and a tenth of what GPUs did in 2017.
    assert matrix_speed("float32", seconds=0.05) > 1e12
