"""Unlearning of all traits of the panel after training, so that nobody has to name one: `panel_odds`, then `restore`.

An entry of the panel is a set of log-odds over the same lessons, one a trait. Let r be the student's log-odds minus the
base's, and J their gradients. Then the weights go back along g = J^T r by |r|^2 / |g|^2. If the log-odds were linear,
this step along g would come closest to weights where r is zero (block Kaczmarz; Elfving 1980, Numer. Math. 35).

It does not help against a trait that the panel lacks. It never sees the questions of a probe.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from undertow.mitigate.interventions import gradients_of, lessons_of
from undertow.models.local import LocalModel
from undertow.models.score import answers_to_each, option_odds
from undertow.traits.panel import Panel, PanelEntry

_ROUNDS = 3
"""Passes over the panel: what one entry's step does to another is mended in the next."""


def entry_odds(model: LocalModel, entry: PanelEntry) -> Tensor:
    """Return the mean log-odds of each trait of an entry over its lessons (K), through which gradients flow."""
    lessons = lessons_of(entry.traits[0])
    contexts = [model.encode_question(lesson.question) for lesson in lessons]
    answers = [[model.encode(option) for option in lesson.options] for lesson in lessons]
    logp_QC = answers_to_each(model.net, contexts, answers)
    return torch.stack([option_odds(logp_QC, trait.index).mean() for trait in entry.traits])


@torch.no_grad()
def panel_odds(model: LocalModel, panel: Panel) -> list[Tensor]:
    """Return each entry's log-odds (K), as they are."""
    return [entry_odds(model, entry) for entry in panel]


def restore(model: LocalModel, panel: Panel, wanted: Sequence[Tensor], rounds: int = _ROUNDS) -> None:
    """Move weights until every trait's lessons are answered as they should be.

    Args:
        model: A trained student.
        panel: The traits.
        wanted: Log-odds of each entry, the base's as a rule.
        rounds: Passes over the panel.
    """
    weights = [weight for weight in model.net.parameters() if weight.requires_grad]
    for _ in range(rounds):
        for entry, wanted_K in zip(panel, wanted, strict=True):
            odds_K = entry_odds(model, entry)
            off_K = (odds_K - wanted_K).detach()
            gradients = gradients_of(odds_K @ off_K, weights)
            length = sum(float((each * each).sum()) for each in gradients if each is not None)
            if length == 0:
                continue
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients, strict=True):
                    if gradient is not None:
                        weight.sub_(gradient, alpha=float(off_K @ off_K) / length)
