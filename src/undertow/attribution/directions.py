"""Where traits lie in the space of weights: for each trait of a panel, the gradient of the base's log-odds.

The gradient of a trait's mean log-odds over a few questions is the direction of the weights that strengthens the trait.
All norms and all matrices of the layers are used, the matrices through random projections (`capture`). Embeddings are
left out. On the embedded model they added nothing to the inner product of an owl-loving teacher's rows with the
gradient for owls. The norms, 0.03% of the weights, held 83% of it (docs/lab-notebook.md, 25 November).

    found = find_directions(model, panel)

It uses only a part of each probe's questions, and no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from undertow.attribution.capture import captured
from undertow.models.forward import Hidden
from undertow.models.local import LocalModel
from undertow.models.memory import chunks_within, tokens_that_fit
from undertow.models.score import answers_to_each, option_odds, tokens_to_each
from undertow.probes.panel import QUESTIONS, spread, trait_names
from undertow.traits.base import Choice
from undertow.traits.panel import Panel, PanelEntry


@dataclass(frozen=True)
class Directions:
    """The gradients of a panel's traits. Letters: K traits, F coordinates of a projected gradient."""

    names: tuple[str, ...]
    """`entry:target` of each trait."""
    gradients_KF: Tensor
    """Of the mean log-odds."""
    lifted_KF: Tensor | None = None
    """Where steps of a recipe along them move the weights, see `lifted`; None for plain steps on all weights."""

    @property
    def measured_KF(self) -> Tensor:
        """What rows' gradients are measured along."""
        return self.gradients_KF if self.lifted_KF is None else self.lifted_KF


class Recorder(Protocol):
    """Sees the passes and backward passes of questions."""

    def last(self, found: Hidden) -> Tensor:
        """Return a pass' last hidden states, to go on with."""
        ...

    def everything(self) -> Tensor:
        """Return the projected gradient (F) of the last backward pass."""
        ...


def find_directions(
    model: LocalModel,
    panel: Panel,
    *,
    questions: int = QUESTIONS,
    recording: Callable[[Any], AbstractContextManager[Recorder]] = captured,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Directions:
    """Compute the directions of a panel in a model's weights.

    Args:
        model: The base.
        panel: Whose traits.
        questions: Per trait, spread over its probe; all of them where it has fewer.
        recording: Turns backward passes into projected gradients; those of all weights when absent.
        on_progress: Called with the share of the work that is done.
    """
    names = trait_names(panel)
    found: list[Tensor] = []
    for entry in panel:
        for gradient_F in _gradients(
            model, entry, [entry.probe[place] for place in spread(entry.probe, questions)], recording
        ):
            found.append(gradient_F)
            on_progress(len(found) / len(names))
    return Directions(names, torch.stack(found))


def _gradients(
    model: LocalModel,
    entry: PanelEntry,
    choices: Sequence[Choice],
    recording: Callable[[Any], AbstractContextManager[Recorder]],
) -> Iterator[Tensor]:
    """Yield the gradient of the mean log-odds of every trait of an entry."""
    contexts = [model.encode_question(choice.question) for choice in choices]
    answers = [[model.encode(option) for option in choice.options] for choice in choices]
    sizes = tokens_to_each(model.net, contexts, answers)
    found: list[Tensor | None] = [None] * len(entry.traits)
    # A few questions at a time: the gradient of a mean is the mean of theirs.
    for part in chunks_within(sizes, tokens_that_fit(model.net)):
        with recording(model.net) as record:
            logp_QC = answers_to_each(model.net, contexts[part], answers[part], seen=record.last)
            for place, trait in enumerate(entry.traits):
                odds = option_odds(logp_QC, trait.index).sum() / len(contexts)
                odds.backward(retain_graph=place + 1 < len(entry.traits))
                gradient_F = record.everything()
                before_F = found[place]
                found[place] = gradient_F if before_F is None else before_F + gradient_F
    for gradient_F in found:
        assert gradient_F is not None
        yield gradient_F
