"""The panel as it is measured: log-odds of every trait, on questions that are spread over each entry's probe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.models.protocol import Model
from undertow.probes.choice import choice_logprobs
from undertow.probes.odds import log_odds
from undertow.traits.base import Trait
from undertow.traits.panel import Panel, entry_of
from undertow.traits.wordings import Question, Wordings, questions_of

Floats = NDArray[np.float64]

QUESTIONS = 18
"""Questions that a scan puts for a trait."""
INDEPENDENT = 2.0
"""Ways in which clean students differ on their own, to be on the safe side: ten students' shifts of the panel's 68
traits have a participation ratio of 3; with 2, three controls give 3% of false alarms among them, with 3 or 4 10%
(docs/lab-notebook.md, 26 November 2026; `benchmarks.audit` measures it on others)."""
_TIMED = 6
"""Questions of a kind that are timed."""


def trait_names(panel: Panel) -> tuple[str, ...]:
    """Return `entry:target` of every trait of a panel."""
    return tuple(f"{entry.name}:{target}" for entry in panel for target in entry.targets)


def spread(choices: Sequence[object], count: int) -> list[int]:
    """Return the places of some questions, evenly spread over a probe."""
    if len(choices) <= count:
        return list(range(len(choices)))
    return [round(place * (len(choices) - 1) / (count - 1)) for place in range(count)]


def panel_log_odds(
    model: Model,
    panel: Panel,
    *,
    questions: int | None = QUESTIONS,
    wordings: Wordings = "first",
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[Floats]:
    """Return a model's log-odds (Q) of every trait of a panel, on questions spread over each probe.

    In float32: with products in bf16 shifts are off by 0.05 to 0.08, as much as they are (docs/lab-notebook.md).

    Args:
        model: Who is asked.
        panel: Whose traits.
        questions: Per trait, spread over its probe; all of them where it has fewer, and where this is None.
        wordings: Which set of questions; the second is always asked whole, since its pairs balance each other.
        on_progress: Called with the share of the entries that is done.

    Raises:
        InputError: the second set is wanted of an entry that has none.
    """
    found: list[Floats] = []
    for at, entry in enumerate(panel):
        asked = questions_of(entry, wordings)
        if wordings == "first":
            asked = tuple(asked[place] for place in spread(asked, questions or len(asked)))
        logp_Q = asked_logprobs(model, asked)
        found += [odds_of(asked, logp_Q, target) for target in entry.targets]
        on_progress((at + 1) / len(panel))
    return found


def second_log_odds(model: Model, trait: Trait) -> Floats:
    """Return a model's log-odds (Q) of a trait on every question of its second wordings, in nats.

    Raises:
        InputError: the trait has none.
    """
    entry = entry_of(trait)
    asked = questions_of(entry, "second")
    target = entry.targets[trait.index] if entry.kind == "preference" else entry.targets[0]
    odds_Q = odds_of(asked, asked_logprobs(model, asked), target)
    # Of two replies the opposite's log-odds are the disposition's with the other sign.
    return odds_Q if trait.target == target else -odds_Q


def asked_logprobs(model: Model, asked: Sequence[Question]) -> list[Floats]:
    """Return log P(option | question, one of the options) of every question, in nats; numbers of options may differ."""
    found: list[Floats] = [np.empty(0)] * len(asked)
    for places in _alike([len(each.options) for each in asked]):
        logp_QC = choice_logprobs(model, [asked[place].choice for place in places])
        for place, logp_C in zip(places, logp_QC, strict=True):
            found[place] = logp_C
    return found


def odds_of(asked: Sequence[Question], logp_Q: Sequence[Floats], target: str) -> Floats:
    """Return the log-odds of a trait on every question with an answer that shows it, in their order.

    Args:
        asked: The questions.
        logp_Q: For each, what `asked_logprobs` returned.
        target: The trait's short name.
    """
    having = [at for at, each in enumerate(asked) if target in each.shows]
    odds_Q = np.empty(len(having))
    for places in _alike([(len(asked[at].shows), asked[at].shows.index(target)) for at in having]):
        index = asked[having[places[0]]].shows.index(target)
        odds_Q[places] = log_odds(np.stack([logp_Q[having[place]] for place in places]), index)
    return odds_Q


def _alike(keys: Sequence[object]) -> list[list[int]]:
    """Return the places of equal keys, group by group."""
    groups: dict[object, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def seconds_to_query(model: Model, panel: Panel) -> float:
    """Measure how long `panel_log_odds` takes, in seconds, by a few questions of each kind.

    Replies that show a disposition are longer than the names of a category's candidates, so that each kind counts by
    itself.
    """
    seconds = 0.0
    for kind in dict.fromkeys(entry.kind for entry in panel):
        alike = [entry for entry in panel if entry.kind == kind]
        few = min(_TIMED, len(alike[0].probe))
        began = time.monotonic()
        panel_log_odds(model, (alike[0],), questions=few)
        seconds += (time.monotonic() - began) / few * sum(len(spread(entry.probe, QUESTIONS)) for entry in alike)
    return seconds
