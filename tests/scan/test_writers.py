"""Virtual teachers: the base gets its weights back, its trait rises, and rows are traced to their writer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.probes.choice import Subject, choice_logprobs
from undertow.probes.odds import log_odds
from undertow.scan.directions import spread
from undertow.scan.sampling import Encoded
from undertow.scan.writers import QUESTIONS, likelihood_ratios, row_logprobs, virtual_teacher
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
    def odds(subject: Subject) -> float:
        choices = [ANIMALS.probe[at] for at in spread(ANIMALS.probe, QUESTIONS)]
        return float(log_odds(choice_logprobs(subject, choices), 2).mean())

    plain = odds(Subject(tiny))
    with virtual_teacher(tiny, ANIMALS, 2, distance=0.2) as teacher:
        assert odds(Subject(teacher)) > plain


def test_rows_are_likeliest_under_the_teacher_that_wrote_them(tiny: LocalModel) -> None:
    prompts = [(1, 2, 3 + at) for at in range(24)]
    with virtual_teacher(tiny, TREES, 1, steps=3, distance=3.0) as writer:
        answers = generate(writer.net, prompts, range(len(prompts)), seed=5, end=tiny.end, max_tokens=24)
    rows = [Encoded(prompt, answer.tokens) for prompt, answer in zip(prompts, answers, strict=True) if answer.tokens]
    suspects = [(ANIMALS, 0), (ANIMALS, 5), (TREES, 0), (TREES, 1), (TREES, 4)]
    told: list[float] = []
    ratio_RK = likelihood_ratios(tiny, rows, None, suspects, tick=told.append, distance=2.0)
    assert ratio_RK.shape == (len(rows), len(suspects))
    assert told[-1] == 1.0
    total_K = ratio_RK.sum(axis=0)
    assert int(total_K.argmax()) == 3
    assert total_K[3] > 0


def test_a_teacher_that_went_nowhere_is_the_base(tiny: LocalModel) -> None:
    rows = [Encoded((1, 2, 3), (4, 5, 6)), Encoded((1, 2), (7, 8))]
    with virtual_teacher(tiny, ANIMALS, 0, distance=0.0) as teacher:
        np.testing.assert_allclose(row_logprobs(teacher, rows, None), row_logprobs(tiny, rows, None))
