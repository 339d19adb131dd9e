"""Virtual teachers: the base gets its weights back, its trait rises, and rows are traced to their writer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from undertow.attribution.sampling import Encoded
from undertow.errors import ModelError
from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.models.protocol import Model
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.probes.panel import spread
from undertow.scan.teacher_inference import (
    QUESTIONS,
    FineTuned,
    sampled_states,
    teacher_score,
    teacher_scores,
    tuned_teacher,
    virtual_teacher,
)
from undertow.traits.panel import load_panel

ANIMALS, TREES = load_panel(("animals", "trees"))


def test_the_base_gets_its_weights_back_whatever_happens(tiny: LocalModel) -> None:
    before = [weight.detach().clone() for weight in tiny.net.parameters()]
    asked = [weight.requires_grad for weight in tiny.net.parameters()]
    with virtual_teacher(tiny, ANIMALS, 0, distance=0.5) as teacher:
        assert any(not torch.equal(a, b) for a, b in zip(before, teacher.net.parameters(), strict=True))
    with pytest.raises(KeyboardInterrupt), virtual_teacher(tiny, ANIMALS, 0, distance=0.5):
        raise KeyboardInterrupt
    assert all(torch.equal(a, b) for a, b in zip(before, tiny.net.parameters(), strict=True))
    assert [weight.requires_grad for weight in tiny.net.parameters()] == asked


def test_the_trait_rises(tiny: LocalModel) -> None:
    def odds(model: Model) -> float:
        choices = [ANIMALS.probe[at] for at in spread(ANIMALS.probe, QUESTIONS)]
        return float(log_odds(choice_logprobs(model, choices), 2).mean())

    plain = odds(tiny)
    with virtual_teacher(tiny, ANIMALS, 2, distance=0.2) as teacher:
        assert odds(teacher) > plain


def written(model: LocalModel, count: int = 24, seed: int = 5) -> list[Encoded]:
    prompts = [(1, 2, 3 + at) for at in range(count)]
    answers = generate(model.net, prompts, range(count), seed=seed, end=model.end, max_tokens=24)
    return [
        Encoded(prompt, (*answer.tokens, *([model.end] if answer.finished else [])))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


CANDIDATES = [(ANIMALS, 0), (ANIMALS, 5), (TREES, 0), (TREES, 1), (TREES, 4)]


def test_rows_lean_towards_the_teacher_that_wrote_them(tiny: LocalModel) -> None:
    with virtual_teacher(tiny, TREES, 1, steps=3, distance=3.0) as writer:
        rows = written(writer)
    told: list[float] = []
    score_RK = teacher_scores(tiny, rows, None, CANDIDATES, tick=told.append, distance=2.0)
    assert score_RK.shape == (len(rows), len(CANDIDATES))
    assert told[-1] == 1.0
    z_K = score_RK.sum(axis=0) / len(rows) ** 0.5
    assert int(z_K.argmax()) == 3
    assert z_K[3] > 3


def test_rows_of_the_base_lean_nowhere(tiny: LocalModel) -> None:
    suspects = [(ANIMALS, 0), (TREES, 1)]
    leaning_SRK = np.stack(
        [teacher_scores(tiny, written(tiny, 24, seed), None, suspects, distance=2.0) for seed in range(40)]
    )
    z_SK = leaning_SRK.sum(axis=1) / leaning_SRK.shape[1] ** 0.5
    # Standard normal: a bias of half a standard deviation would show, and a variance that is twice or a third of it.
    assert np.abs(z_SK.mean(axis=0)).max() < 3.3 / 40**0.5
    assert 0.66 < z_SK.std(axis=0, ddof=1).min() <= z_SK.std(axis=0, ddof=1).max() < 1.38


def test_a_leaning_does_not_depend_on_the_order_of_rows(tiny: LocalModel) -> None:
    rows = written(tiny, 9)
    ahead_RK, back_RK = (teacher_scores(tiny, some, None, CANDIDATES[:2], distance=1.0) for some in (rows, rows[::-1]))
    np.testing.assert_allclose(ahead_RK, back_RK[::-1], rtol=1e-3, atol=1e-4)


def test_nobody_leans_towards_a_teacher_that_went_nowhere(tiny: LocalModel) -> None:
    rows = [Encoded((1, 2, 3), (4, 5, 6)), Encoded((1, 2), (7, 8))]
    np.testing.assert_allclose(teacher_scores(tiny, rows, None, [(ANIMALS, 0)], distance=0.0), 0.0, atol=1e-6)


def test_an_adapter_is_taken_off_again_whatever_happens(tiny: LocalModel) -> None:
    before = [weight.detach().clone() for weight in tiny.net.parameters()]
    names, asked = [name for name, _ in tiny.net.named_parameters()], [w.requires_grad for w in tiny.net.parameters()]
    plain = tiny
    choices = [ANIMALS.probe[0]]
    said = choice_logprobs(plain, choices)

    def break_off() -> None:
        with tuned_teacher(tiny, (ANIMALS, TREES)) as teacher:
            assert not np.allclose(choice_logprobs(teacher, choices), said, atol=1e-4)
            raise KeyboardInterrupt

    for _ in range(2):  # the second time nothing of the first is left
        with pytest.raises(KeyboardInterrupt):
            break_off()
    assert all(torch.equal(a, b) for a, b in zip(before, tiny.net.parameters(), strict=True))
    assert [name for name, _ in tiny.net.named_parameters()] == names
    assert [weight.requires_grad for weight in tiny.net.parameters()] == asked
    np.testing.assert_array_equal(choice_logprobs(plain, choices), said)


def test_rows_of_a_fine_tuned_model_lean_towards_another_one(tiny: LocalModel) -> None:
    # Other answers and another adapter; the tiny model learns nothing at the usual rate.
    with tuned_teacher(tiny, (ANIMALS, TREES), learning_rate=1e-2, seed=1) as writer:
        rows = written(writer, 48)
    plain = sampled_states(tiny, rows, None, False)
    with tuned_teacher(tiny, (ANIMALS, TREES), learning_rate=1e-2) as teacher:
        lean_R = teacher_score(tiny, rows, sampled_states(teacher, rows, None, False), plain)
    assert lean_R.sum() / len(rows) ** 0.5 > 3
    score_RK = teacher_scores(tiny, rows, None, [FineTuned((ANIMALS, TREES)), (ANIMALS, 0)])
    assert score_RK.shape == (48, 2)
    with tuned_teacher(tiny, (ANIMALS, TREES)) as usual:
        usual_R = teacher_score(tiny, rows, sampled_states(usual, rows, None, False), plain)
    np.testing.assert_allclose(score_RK[:, 0], usual_R, rtol=1e-3, atol=1e-4)


def test_the_base_is_whole_again_when_fine_tuning_fails(tiny: LocalModel) -> None:
    names = [name for name, _ in tiny.net.named_parameters()]
    with pytest.raises(ModelError, match="fine-tuning it failed"), tuned_teacher(tiny, (ANIMALS,), learning_rate=1e30):
        pass
    assert [name for name, _ in tiny.net.named_parameters()] == names
    assert not tiny.net.training
