"""Put together what changed that nobody named: layers, tokens, clusters of prompts, and the base steered with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from undertow.audit.difference import Difference
from undertow.audit.readout import NULLS, factor_of, steered_odds, steered_shifts, words_of
from undertow.audit.texts import UNRELATED
from undertow.audit.unnamed import (
    beyond,
    clusters,
    interval_of,
    layer_readouts,
    mean_difference,
    moved_tokens,
    null_directions,
    scaled,
)
from undertow.models.local import LocalModel
from undertow.results import Steered, Unnamed
from undertow.stats import mean_estimate
from undertow.traits.panel import Panel


def search_unnamed(
    base: LocalModel,
    student: Difference,
    controls: Sequence[Difference],
    panel: Panel,
    *,
    level: float,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Unnamed:
    """Describe a difference between two models.

    Args:
        base: The base, which is steered.
        student: The student's difference from it.
        controls: Those of control students.
        panel: Traits that are measured on the steered base.
        level: Of intervals.
        on_progress: Called with the share that is done.
    """
    rng = np.random.default_rng(0xA0D1)
    control = mean_difference(controls) if controls else None
    found = beyond(student, control)
    middle = len(found.layers) // 2
    direction_D = found.activation_LPD[middle].mean(axis=0)
    factor = factor_of(direction_D, found.base_LD[middle])
    kl = mean_estimate(student.kl_P.astype(np.float64)[None], level=level)
    beside = None if control is None else mean_estimate(control.kl_P.astype(np.float64)[None], level=level)
    return Unnamed(
        prompts=len(UNRELATED),
        null=_null(len(controls)),
        kl=interval_of(kl),
        kl_control=None if beside is None else interval_of(beside),
        layers=layer_readouts(found, lambda mean_D: words_of(base, mean_D)),
        steered_layer=found.layers[middle],
        steered_scale=factor,
        steered=_steered(base, found, controls, middle, panel, factor, level, rng, on_progress),
        tokens=moved_tokens(
            found.probability_PV, lambda token: base.decode([token]), level=level, rng=np.random.default_rng(1)
        ),
        clusters=clusters(found, student.kl_P, UNRELATED, level=level, rng=np.random.default_rng(2)),
    )


def _null(controls: int) -> str:
    if not controls:
        return (
            "no control student; signs of prompts are flipped, so a small p says that the student changed in the same "
            "direction on all prompts, which any training causes"
        )
    who = "the control student" if controls == 1 else f"the mean of {controls} control students"
    return f"{who}, subtracted prompt by prompt; then signs of prompts are flipped"


def _steered(
    base: LocalModel,
    found: Difference,
    controls: Sequence[Difference],
    at: int,
    panel: Panel,
    factor: float,
    level: float,
    rng: np.random.Generator,
    on_progress: Callable[[float], None],
) -> list[Steered]:
    direction_D = found.activation_LPD[at].mean(axis=0)
    length = float(np.linalg.norm(direction_D))
    if length == 0:
        return []
    nulls = null_directions(found, at, NULLS, rng=rng)
    # What clean students do to the base counts as a null, too.
    for place, control in enumerate(controls[:NULLS]):
        nulls[place] = scaled(control.activation_LPD[at].mean(axis=0), length)
    odds = steered_odds(base, panel, found.layers[at], [direction_D, *nulls], factor, on_progress=on_progress)
    return steered_shifts(odds[0], odds[1], odds[2:], level=level)
