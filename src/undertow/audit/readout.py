"""What a direction in a model's activations means: read out as tokens, and steered back into the base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.audit.panel import Odds, panel_odds
from undertow.models.engine.head import head_of
from undertow.models.engine.network import network_of
from undertow.models.local import LocalModel
from undertow.models.prompted import SteeredModel
from undertow.results import Steered
from undertow.stats import benjamini_hochberg, paired_difference, paired_test
from undertow.traits.panel import Panel

Direction = NDArray[np.float32]

SHOWN: Final = 10
QUESTIONS: Final = 12
"""Questions of each entry for the steered base."""
NULLS: Final = 3
"""Null directions that the base is steered with."""
SHARE: Final = 0.25
"""Length of the added vector, as a share of the base's mean activation, where the factor allows it."""
FACTORS: Final = (1.0, 32.0)
"""How many times the mean difference is added, at least and at most."""


@torch.inference_mode()
def words_of(model: LocalModel, direction: Direction) -> tuple[list[str], list[str]]:
    """Return the tokens that a direction makes likelier and less likely, if it reached the output as it is.

    It goes through the last norm and the output embedding (the "logit lens", nostalgebraist 2020) and no layer between.
    """
    norm, weight_VD = network_of(model.net).last_norm, head_of(model.net).weight_VD
    direction_D = norm(torch.tensor(direction, device=model.device, dtype=norm.weight.dtype))
    if getattr(norm, "bias", None) is not None:
        # Added whatever the direction is.
        direction_D = direction_D - norm.bias
    logit_V = direction_D.float() @ weight_VD.float().T
    return (
        [model.decode([int(token)]) for token in logit_V.topk(min(SHOWN, len(logit_V))).indices],
        [model.decode([int(token)]) for token in (-logit_V).topk(min(SHOWN, len(logit_V))).indices],
    )


def factor_of(direction_D: Direction, base_D: Direction) -> float:
    """Return how many times to add a mean difference to a base's activations."""
    own = float(np.linalg.norm(direction_D))
    return float(np.clip(SHARE * float(np.linalg.norm(base_D)) / own, *FACTORS)) if own > 0 else 1.0


def steered_odds(
    base: LocalModel,
    panel: Panel,
    layer: int,
    directions: Sequence[Direction],
    factor: float,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[Odds]:
    """Return the base's log-odds on the panel: as it is, then with each direction added to a layer's output."""
    found: list[Odds] = []
    for at, direction_D in enumerate((None, *directions)):
        steering = None if direction_D is None else {layer: factor * torch.tensor(direction_D, device=base.device)}
        model = base if steering is None else SteeredModel(base, steering)
        found.append(panel_odds(model, panel, questions=QUESTIONS))
        on_progress((at + 1) / (len(directions) + 1))
    return found


def steered_shifts(plain: Odds, own: Odds, nulls: Sequence[Odds], *, level: float) -> list[Steered]:
    """Say which traits a direction moves more than null directions of the same length do; the strongest first."""
    largest = {name: max(abs(float((null[name] - plain[name]).mean())) for null in nulls) for name in plain}
    most = max(largest.values())
    measured: list[tuple[str, float, float, float, float]] = []
    for name, odds_Q in own.items():
        null_Q = np.mean([null[name] for null in nulls], axis=0)
        e = paired_difference(odds_Q[None], null_Q[None], level=level)
        p = paired_test((odds_Q - null_Q)[None], rng=np.random.default_rng(0)).p
        measured.append((name, e.value, e.lo, e.hi, p))
    adjusted = benjamini_hochberg([each[-1] for each in measured]).tolist()
    return sorted(
        (
            Steered(
                trait=name,
                value=value,
                lo=lo,
                hi=hi,
                p=q,
                null_largest=largest[name],
                exceeds=q < 1 - level and abs(value) > most,
            )
            for (name, value, lo, hi, _), q in zip(measured, adjusted, strict=True)
        ),
        key=lambda each: (not each.exceeds, -abs(each.value)),
    )
