"""Taking the whole panel back: a restored base stays, a moved student comes back, one trait is Newton's step."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from undertow.mitigate.interventions import lesson_odds, lessons_of
from undertow.mitigate.panel import entry_odds, panel_odds, restore
from undertow.models.local import LocalModel
from undertow.traits.panel import load_panel

PANEL = load_panel(("animals", "curtness"))


def moved(model: LocalModel) -> None:
    """Move weights at random by a little."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.net.parameters():
            weight.add_(0.02 * weight.abs().mean() * torch.randn(weight.shape, generator=generator))


def off(model: LocalModel, wanted: list[torch.Tensor]) -> float:
    return float(torch.cat([a - b for a, b in zip(panel_odds(model, PANEL), wanted, strict=True)]).norm())


def test_an_entrys_log_odds_are_those_of_its_traits(tiny: LocalModel) -> None:
    with torch.no_grad():
        for entry in PANEL:
            each = [float(lesson_odds(tiny, trait, lessons_of(trait))) for trait in entry.traits]
            assert entry_odds(tiny, entry).tolist() == pytest.approx(each, abs=1e-5)


def test_a_base_that_did_not_move_stays(tiny: LocalModel) -> None:
    before = copy.deepcopy(tiny.net.state_dict())
    restore(tiny, PANEL, panel_odds(tiny, PANEL))
    for name, weight in tiny.net.state_dict().items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=1e-5)


def test_a_student_comes_back_and_more_rounds_come_closer(tiny: LocalModel) -> None:
    wanted = panel_odds(tiny, PANEL)
    moved(tiny)
    start = off(tiny, wanted)
    assert start > 1e-3
    restore(tiny, PANEL, wanted, rounds=1)
    once = off(tiny, wanted)
    restore(tiny, PANEL, wanted, rounds=20)
    assert once < start
    assert off(tiny, wanted) < 0.5 * once


def test_weights_come_closer_to_where_they_were(tiny: LocalModel) -> None:
    base = [weight.detach().clone() for weight in tiny.net.parameters()]

    def far() -> float:
        pairs = zip(tiny.net.parameters(), base, strict=True)
        return sum(float(((weight - own) ** 2).sum()) for weight, own in pairs)

    wanted = panel_odds(tiny, PANEL)
    moved(tiny)
    start = far()
    restore(tiny, PANEL, wanted)
    assert far() < start


def test_one_trait_alone_is_a_newton_step(tiny: LocalModel) -> None:
    (entry,) = load_panel(("curtness",))
    alone = (replace(entry, traits=entry.traits[:1]),)
    wanted = [panel_odds(tiny, alone)[0] - 0.01]
    restore(tiny, alone, wanted, rounds=1)
    assert float(panel_odds(tiny, alone)[0] - wanted[0]) == pytest.approx(0.0, abs=1e-3)
